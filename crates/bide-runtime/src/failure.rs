//! The error JSON of failures that the platform, not the function, reports (fc-behaviour 7.8).
//!
//! Owns the wording, which tools match on. Never decides what failed.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use crate::executor::{AttemptResult, FunctionErrorCause, FunctionErrorKind};

/// Characters of a function's own error message that are shown where it is not the result.
const MESSAGE_CHARS_MAX: usize = 500;

/// An unhandled function error with only a message.
pub(crate) fn unhandled(cause: FunctionErrorCause, message: &str) -> AttemptResult {
    AttemptResult::FunctionError { kind: FunctionErrorKind::Unhandled, cause, body: message_body(message) }
}

pub(crate) fn timed_out(limit: Duration, memory_max_mb: f64) -> AttemptResult {
    let seconds = limit.as_secs();
    let message =
        format!("Function timed out after {seconds} seconds (maxMemoryUsage: {memory_max_mb:.2} MB)");
    unhandled(FunctionErrorCause::Timeout, &message)
}

pub(crate) fn out_of_memory(limit_mb: u32, memory_max_mb: f64) -> AttemptResult {
    let message = format!(
        "Function used more memory than its limit of {limit_mb} MB (maxMemoryUsage: {memory_max_mb:.2} MB)"
    );
    unhandled(FunctionErrorCause::OutOfMemory, &message)
}

pub(crate) fn process_exited(duration: Duration, memory_max_mb: f64) -> AttemptResult {
    let millis = duration.as_secs_f64() * 1000.0;
    let message = format!(
        "Process exited unexpectedly before completing request (duration: {millis:.0}ms, maxMemoryUsage: {memory_max_mb:.2}MB)"
    );
    unhandled(FunctionErrorCause::ProcessExited, &message)
}

/// The instance never became ready.
pub(crate) fn not_started(message: &str) -> AttemptResult {
    let body = json!({ "errorMessage": message, "errorType": "FunctionNotStarted" });
    AttemptResult::FunctionError {
        kind: FunctionErrorKind::Unhandled,
        cause: FunctionErrorCause::StartFailed,
        body: body.to_string().into(),
    }
}

/// Error JSON as a runtime reported it; made into valid JSON if it is none.
pub(crate) fn reported(kind: FunctionErrorKind, cause: FunctionErrorCause, body: Bytes) -> AttemptResult {
    let valid = serde_json::from_slice::<&serde_json::value::RawValue>(&body).is_ok();
    let body = if valid { body } else { message_body(&String::from_utf8_lossy(&body)) };
    AttemptResult::FunctionError { kind, cause, body }
}

/// What a failure's body says in words, short enough to be shown beside other things.
pub(crate) fn message_of(result: &AttemptResult) -> String {
    let AttemptResult::FunctionError { body, .. } = result else { return String::new() };
    let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    json["errorMessage"].as_str().unwrap_or("the function failed").chars().take(MESSAGE_CHARS_MAX).collect()
}

fn message_body(message: &str) -> Bytes {
    json!({ "errorMessage": message }).to_string().into()
}

#[cfg(test)]
mod tests;
