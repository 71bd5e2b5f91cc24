use super::*;

fn domain(paths: &[&str]) -> CustomDomain {
    let route = |path: &&str| Route {
        path: RoutePath::new(path).expect("valid"),
        service: ServiceName::new("s").expect("valid"),
        function: FunctionName::new("f").expect("valid"),
        qualifier: Qualifier::latest(),
        methods: BTreeSet::new(),
    };
    CustomDomain {
        account: AccountId::new("1").expect("valid"),
        name: DomainName::new("a.b").expect("valid"),
        routes: paths.iter().map(route).collect(),
        created_at: Timestamp::ZERO,
        modified_at: Timestamp::ZERO,
    }
}

#[test]
fn the_longest_match_wins_and_a_whole_path_before_every_pattern() {
    let domain = domain(&["/*", "/a/*", "/a/b", "/a/b*", "/a/b/c/*"]);
    for (path, wanted) in [
        ("/", Some("/*")),
        ("/a", Some("/*")),
        ("/a/", Some("/a/*")),
        ("/a/b", Some("/a/b")),
        ("/a/bc", Some("/a/b*")),
        ("/a/b/c/", Some("/a/b/c/*")),
        ("/%61/b", Some("/*")),
        ("", None),
    ] {
        assert_eq!(domain.route(path).map(|route| route.path.as_str()), wanted, "{path}");
    }
    assert_eq!(self::domain(&["/a"]).route("/a/"), None);
}

#[test]
fn a_pattern_is_a_path_with_a_star_at_its_end_or_none() {
    for good in ["/", "/*", "/a*", "/a/b", "/%20"] {
        assert!(RoutePath::new(good).is_ok(), "{good}");
    }
    let long = format!("/{}", "a".repeat(RoutePath::CHARS_MAX));
    for bad in ["", "*", "a", "/a*b", "/**", "/a b", "/a?b", "/ä", long.as_str()] {
        assert!(RoutePath::new(bad).is_err(), "{bad}");
    }
}
