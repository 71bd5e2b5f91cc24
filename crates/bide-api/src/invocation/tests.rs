use bide_types::ErrorCode;

use super::*;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            let name = axum::http::HeaderName::from_static(name);
            (name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
        })
        .collect()
}

fn asynchronous(pairs: &[(&'static str, &str)]) -> Result<AsyncOptions, ApiError> {
    let mut headers = headers(pairs);
    headers.insert(INVOCATION_TYPE, HeaderValue::from_static("Async"));
    match mode(&headers)? {
        Mode::Async(options) => Ok(options),
        Mode::Sync(_) => panic!("asked for Async"),
    }
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, ApiError>) -> String {
    let error = outcome.expect_err("refused");
    assert_eq!(error.code, ErrorCode::InvalidArgument);
    error.message.into_owned()
}

#[test]
fn the_type_is_read_in_any_case_and_anything_else_is_refused() {
    for (value, synchronous) in
        [("Sync", true), ("sync", true), ("", true), ("Async", false), ("aSYNC", false)]
    {
        let mode = mode(&headers(&[(INVOCATION_TYPE, value)])).expect("valid");
        assert_eq!(matches!(mode, Mode::Sync(_)), synchronous, "{value}");
    }
    assert!(matches!(mode(&HeaderMap::new()), Ok(Mode::Sync(SyncOptions { log_tail: false }))));
    let message = refusal(mode(&headers(&[(INVOCATION_TYPE, "Later")])));
    assert!(message.contains("X-Fc-Invocation-Type"), "{message}");
}

#[test]
fn a_delay_is_whole_seconds_up_to_an_hour() {
    for (text, seconds) in [("0", 0), ("1", 1), ("3600", 3600)] {
        let options = asynchronous(&[(ASYNC_DELAY, text)]).expect("valid");
        assert_eq!(options.delay, Duration::from_secs(seconds));
    }
    assert_eq!(asynchronous(&[]).expect("valid").delay, Duration::ZERO);
    for bad in ["-1", "3601", "1.5", "x", "", "+5", "1 2", "99999999999999999999", "é"] {
        let message = refusal(asynchronous(&[(ASYNC_DELAY, bad)]));
        assert!(message.contains("X-Fc-Async-Delay"), "{bad}: {message}");
    }
}

#[test]
fn both_names_of_the_task_id_are_read_under_one_rule() {
    let longest = "a".repeat(128);
    for name in [STATEFUL_TASK_ID, ASYNC_TASK_ID] {
        for good in ["job-0001", "_x", longest.as_str()] {
            let options = asynchronous(&[(name, good)]).expect("valid");
            assert_eq!(options.task_id.expect("given").as_str(), good);
        }
        let too_long = "a".repeat(129);
        for bad in ["1job", "-job", "a.b", "", "a b", "é", too_long.as_str()] {
            let message = refusal(asynchronous(&[(name, bad)])).to_ascii_lowercase();
            assert!(message.contains(name), "{bad}: {message}");
        }
    }
}

#[test]
fn what_only_asynchronous_calls_use_is_not_looked_at_otherwise() {
    let headers = headers(&[(ASYNC_DELAY, "x"), (STATEFUL_TASK_ID, "1"), (LOG_TYPE, "tail")]);
    assert_eq!(mode(&headers), Ok(Mode::Sync(SyncOptions { log_tail: true })));
    assert!(mode(&self::headers(&[(LOG_TYPE, "Head")])).is_err());
}

#[test]
fn task_mode_can_be_asked_for_per_call() {
    assert!(asynchronous(&[(TASK_MODE, "true")]).expect("valid").task_mode);
    assert!(!asynchronous(&[(TASK_MODE, "False")]).expect("valid").task_mode);
    assert!(refusal(asynchronous(&[(TASK_MODE, "1")])).contains("X-Fc-Stateful-Async-Invocation-Enable"));
}

#[test]
fn a_usable_trace_id_becomes_the_request_id() {
    assert_eq!(trace_id(&headers(&[(TRACE_ID, "1-abc")])).expect("usable").as_str(), "1-abc");
    for bad in ["", "a b", "é"] {
        assert!(trace_id(&headers(&[(TRACE_ID, bad)])).is_none());
    }
}
