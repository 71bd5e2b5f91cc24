use super::*;

#[test]
fn the_repository_is_tidy() {
    if let Err(error) = check_repository() {
        panic!("{error}; `cargo xtask tidy` shows where");
    }
}

#[test]
fn a_finding_names_its_place() {
    assert_eq!(Finding::error("a.rs", 7, "no").to_string(), "error: a.rs:7: no");
    assert_eq!(Finding::warning("a.rs", 0, "long").to_string(), "warning: a.rs: long");
}
