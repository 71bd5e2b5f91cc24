use super::*;

fn body(result: AttemptResult) -> String {
    match result {
        AttemptResult::FunctionError { body, .. } => String::from_utf8(body.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn messages_are_worded_as_tools_expect_them() {
    assert_eq!(
        body(timed_out(Duration::from_secs(3), 12.345)),
        r#"{"errorMessage":"Function timed out after 3 seconds (maxMemoryUsage: 12.35 MB)"}"#
    );
    assert_eq!(
        body(process_exited(Duration::from_millis(45), 9.0)),
        r#"{"errorMessage":"Process exited unexpectedly before completing request (duration: 45ms, maxMemoryUsage: 9.00MB)"}"#
    );
}

#[test]
fn an_error_that_is_no_json_is_wrapped() {
    let wrapped = reported(
        FunctionErrorKind::Unhandled,
        FunctionErrorCause::Raised,
        Bytes::from_static(b"not \"json\""),
    );
    assert_eq!(body(wrapped), r#"{"errorMessage":"not \"json\""}"#);
    let kept =
        reported(FunctionErrorKind::Handled, FunctionErrorCause::Raised, Bytes::from_static(b"{\"a\": 1}"));
    assert_eq!(body(kept), r#"{"a": 1}"#);
}
