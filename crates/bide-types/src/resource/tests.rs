use super::*;

#[test]
fn runtimes_are_told_apart_by_name() {
    for (name, kind) in [
        ("python3", RuntimeKind::Python),
        ("python3.9", RuntimeKind::Python),
        ("nodejs14", RuntimeKind::Node),
        ("custom", RuntimeKind::Custom),
        ("custom.debian12", RuntimeKind::Custom),
    ] {
        assert_eq!(Runtime::parse(name).expect("supported").kind(), kind, "{name}");
    }
    for name in ["", "python2.7", "python3x", "java8", "custom-container", "Custom"] {
        assert!(Runtime::parse(name).is_err(), "{name}");
    }
}
