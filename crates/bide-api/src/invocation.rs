//! What the headers of an invocation ask for, and what those of its answer say; the same in every generation and for
//! calls over HTTP (fc-api 3.1 to 3.3).
//!
//! Owns their rules and the refusals that name the header. Never looks at the event or at the function.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode};
use bide_engine::{Accepted, Engine, FunctionErrorKind, Target, Tracing};
use bide_types::limits::ASYNC_DELAY_MAX;
use bide_types::{RequestId, TaskId, TraceParent};

use crate::error::ApiError;

pub(crate) const REQUEST_ID: &str = "x-fc-request-id";
const STATEFUL_TASK_ID: &str = "x-fc-stateful-async-invocation-id";
const ASYNC_TASK_ID: &str = "x-fc-async-task-id";
const INVOCATION_TYPE: &str = "x-fc-invocation-type";
const LOG_TYPE: &str = "x-fc-log-type";
const ASYNC_DELAY: &str = "x-fc-async-delay";
const TASK_MODE: &str = "x-fc-stateful-async-invocation-enable";
const TRACE_ID: &str = "x-fc-trace-id";
const TRACE_PARENT: &str = "traceparent";
const SPAN_CONTEXT: &str = "x-fc-tracing-opentracing-span-context";
const SPAN_BAGGAGES: &str = "x-fc-tracing-opentracing-span-baggages";

/// How to invoke.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Sync(SyncOptions),
    Async(AsyncOptions),
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyncOptions {
    pub(crate) log_tail: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AsyncOptions {
    pub(crate) delay: Duration,
    /// Means something in task mode only.
    pub(crate) task_id: Option<TaskId>,
    /// Task mode for this one call, whatever the configuration says.
    pub(crate) task_mode: bool,
    pub(crate) parent: Option<TraceParent>,
}

/// # Errors
/// `InvalidArgument` naming the header that breaks its rule. What only asynchronous calls use is not looked at in a
/// synchronous one.
pub(crate) fn mode(headers: &HeaderMap) -> Result<Mode, ApiError> {
    let given = headers.get(INVOCATION_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if given.is_empty() || given.eq_ignore_ascii_case(b"Sync") {
        return Ok(Mode::Sync(SyncOptions { log_tail: log_tail(headers)? }));
    }
    if given.eq_ignore_ascii_case(b"Async") {
        return Ok(Mode::Async(AsyncOptions {
            delay: delay(headers)?,
            task_id: task_id(headers)?,
            task_mode: task_mode(headers)?,
            parent: trace_parent(headers),
        }));
    }
    Err(ApiError::invalid("header X-Fc-Invocation-Type must be Sync or Async"))
}

/// The request id that the caller chose, if it chose a usable one.
pub(crate) fn trace_id(headers: &HeaderMap) -> Option<RequestId> {
    RequestId::new(headers.get(TRACE_ID)?.to_str().ok()?).ok()
}

/// The trace context that the caller passes on.
pub(crate) fn tracing_context(headers: &HeaderMap) -> Tracing {
    let given = |name| Some(headers.get(name)?.to_str().ok()?.to_owned());
    Tracing { span_context: given(SPAN_CONTEXT), span_baggages: given(SPAN_BAGGAGES) }
}

/// The trace that the caller is in (W3C Trace Context).
pub(crate) fn trace_parent(headers: &HeaderMap) -> Option<TraceParent> {
    TraceParent::parse(headers.get(TRACE_PARENT)?.to_str().ok()?)
}

/// Tells the engine how a call of `target` was answered, for the figures.
pub(crate) fn tell(engine: &Engine, target: &Target, answer: &Result<Response<Body>, ApiError>) {
    match answer {
        Ok(response) => engine.answered(target, response.status().as_u16(), false),
        Err(error) => engine.answered(target, error.code.status(), true),
    }
}

/// 202 for what is on stable storage.
pub(crate) fn accepted(accepted: &Accepted) -> Response<Body> {
    let mut response = Response::new(Body::empty()); // no content type: an empty body is no JSON
    *response.status_mut() = StatusCode::ACCEPTED;
    if let Some(task) = &accepted.task_id {
        let task = text(task.as_str());
        response.headers_mut().insert(ASYNC_TASK_ID, task.clone());
        response.headers_mut().insert(STATEFUL_TASK_ID, task);
    }
    response
}

/// The value of `X-Fc-Error-Type`.
pub(crate) fn error_type(kind: FunctionErrorKind) -> &'static str {
    match kind {
        FunctionErrorKind::Handled => "HandledInvocationError",
        FunctionErrorKind::Unhandled => "UnhandledInvocationError",
    }
}

/// A header value of text that we made.
pub(crate) fn text(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids, numbers and base64 are visible ASCII")
}

fn log_tail(headers: &HeaderMap) -> Result<bool, ApiError> {
    match headers.get(LOG_TYPE).map_or(&b""[..], HeaderValue::as_bytes) {
        b"" => Ok(false),
        text if text.eq_ignore_ascii_case(b"None") => Ok(false),
        text if text.eq_ignore_ascii_case(b"Tail") => Ok(true),
        _ => Err(ApiError::invalid("header X-Fc-Log-Type must be None or Tail")),
    }
}

/// Whole seconds: digits only, so no sign, fraction or blank.
fn delay(headers: &HeaderMap) -> Result<Duration, ApiError> {
    let Some(value) = headers.get(ASYNC_DELAY) else { return Ok(Duration::ZERO) };
    let seconds = value
        .to_str()
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    seconds.filter(|delay| *delay <= ASYNC_DELAY_MAX).ok_or_else(|| {
        ApiError::invalid(format!(
            "header X-Fc-Async-Delay must be a whole number of seconds from 0 to {}",
            ASYNC_DELAY_MAX.as_secs()
        ))
    })
}

fn task_id(headers: &HeaderMap) -> Result<Option<TaskId>, ApiError> {
    for (name, shown) in
        [(STATEFUL_TASK_ID, "X-Fc-Stateful-Async-Invocation-Id"), (ASYNC_TASK_ID, "X-Fc-Async-Task-Id")]
    {
        if let Some(value) = headers.get(name) {
            let text = String::from_utf8_lossy(value.as_bytes());
            return TaskId::from_caller(&text)
                .map(Some)
                .map_err(|error| ApiError::invalid(format!("header {shown}: {error}")));
        }
    }
    Ok(None)
}

fn task_mode(headers: &HeaderMap) -> Result<bool, ApiError> {
    match headers.get(TASK_MODE).map_or(&b""[..], HeaderValue::as_bytes) {
        b"" => Ok(false),
        text if text.eq_ignore_ascii_case(b"true") => Ok(true),
        text if text.eq_ignore_ascii_case(b"false") => Ok(false),
        _ => Err(ApiError::invalid("header X-Fc-Stateful-Async-Invocation-Enable must be true or false")),
    }
}

#[cfg(test)]
mod tests;
