use std::path::Path;

use super::ErrorCode;

#[test]
fn codes_are_in_alphabetical_order() {
    let names: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
}

#[test]
fn every_code_has_a_page() {
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
    for code in ErrorCode::ALL {
        assert!(pages.join(format!("{code}.md")).is_file(), "docs/errors/{code}.md is missing");
    }
}
