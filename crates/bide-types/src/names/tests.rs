use super::*;

#[test]
fn names_follow_the_rule_at_its_edges() {
    let longest = format!("_{}", "a".repeat(127));
    for good in ["a", "_", "A-1_b", longest.as_str()] {
        assert!(FunctionName::new(good).is_ok(), "{good}");
    }
    let too_long = "a".repeat(129);
    for bad in ["", "1a", "-a", "a.b", "a b", "ä", too_long.as_str()] {
        assert!(FunctionName::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_qualifier_may_be_a_version_number() {
    assert!(Qualifier::new("12").is_ok());
    assert!(Qualifier::new("prod").is_ok());
    assert!(Qualifier::new("1a").is_err());
    assert!(Qualifier::new("LATEST").expect("valid").is_latest());
}

#[test]
fn the_error_names_the_field_and_shows_a_bounded_part_of_the_text() {
    let error = ServiceName::new(&"9".repeat(500)).expect_err("starts with a digit").to_string();
    assert!(error.starts_with("service name '999"), "{error}");
    assert!(error.len() < 400);
}

#[test]
fn a_domain_is_a_host_name_in_lower_case() {
    for good in ["a", "a.b", "1a.b2", "a-b.c", "xn--bcher-kva.example"] {
        assert_eq!(DomainName::new(&good.to_uppercase()).expect("valid").as_str(), good);
    }
    let (label, long) = ("a".repeat(64), "a.".repeat(130));
    for bad in [
        "", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a_b", "a b", "1.2.3.4", "a.1", "::1", "a:80", &label,
        &long,
    ] {
        assert!(DomainName::new(bad).is_err(), "{bad}");
    }
    let (parent, child) = (DomainName::new("b.c").expect("valid"), DomainName::new("a.b.c").expect("valid"));
    assert_eq!((child.below(&parent), parent.below(&child), parent.below(&parent)), (Some("a"), None, None));
    assert_eq!(DomainName::new("ab.c").expect("valid").below(&parent), None);
}
