use super::*;

const LIST: &str = "error_codes! {\n    /// Gone.\n    FunctionNotFound = 404,\n}\n";
const PAGE: &str = "docs/errors/FunctionNotFound.md";

fn messages(files: &[(&str, &str)]) -> Vec<String> {
    check(&Tree::of(files)).into_iter().map(|finding| finding.message).collect()
}

#[test]
fn a_true_page_is_silent() {
    let page = "# FunctionNotFound\n\nStatus 404, not retryable.\n";
    assert!(messages(&[(CODES, LIST), (PAGE, page)]).is_empty());
}

#[test]
fn a_missing_page_is_found() {
    assert_eq!(messages(&[(CODES, LIST)]), ["this error code has no page"]);
}

#[test]
fn a_page_with_another_title_or_status_is_found() {
    for page in
        ["# Other\n\nStatus 404, not retryable.\n", "# FunctionNotFound\n\nStatus 400, not retryable.\n"]
    {
        assert_eq!(messages(&[(CODES, LIST), (PAGE, page)]).len(), 1, "{page}");
    }
}

#[test]
fn a_page_without_a_code_is_found() {
    let page = "# FunctionNotFound\n\nStatus 404, not retryable.\n";
    let files = [(CODES, LIST), (PAGE, page), ("docs/errors/Gone.md", "# Gone\n")];
    assert_eq!(messages(&files), ["no error code has this name"]);
}

#[test]
fn a_list_in_another_form_is_found() {
    assert!(messages(&[(CODES, "enum ErrorCode { A }\n")])[0].contains("no error codes"));
}
