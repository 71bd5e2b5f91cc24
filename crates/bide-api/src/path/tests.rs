use super::*;

#[test]
fn segments_are_decoded_one_by_one() {
    let segments = Segments::parse("services/a%20b/functions/x%2Fy").expect("a path");
    assert_eq!(&segments.texts()[..segments.count()], ["services", "a b", "functions", "x/y"]);
    assert!(Segments::parse(&"a/".repeat(SEGMENTS_MAX)).is_none());
    assert!(Segments::parse("%ff").is_none());
}

#[test]
fn a_service_segment_may_carry_a_qualifier() {
    for (segment, service, qualifier) in [
        ("s", "s", "LATEST"),
        ("s.", "s", "LATEST"),
        ("s.LATEST", "s", "LATEST"),
        ("s.prod", "s", "prod"),
        ("s.3", "s", "3"),
    ] {
        let (found, at) = service_and_qualifier(segment).expect("valid");
        assert_eq!((found, at.as_str()), (service, qualifier), "{segment}");
    }
    for bad in ["s.a.b", "s.-", "s.1a", "s. "] {
        assert!(service_and_qualifier(bad).is_err(), "{bad}");
    }
}
