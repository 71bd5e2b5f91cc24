//! What the attempts of a task logged.
//!
//! Owns the wire form and the route, `/bide/v1/services/{service}/functions/{function}/tasks/{task}/logs`.

use axum::body::Body;
use axum::http::{Method, Response};
use bide_engine::{AttemptEnd, AttemptLog, FunctionError, TaskLogs, attempt_logs_window};
use bide_types::{AccountId, ErrorCode, InstanceId, TaskId};
use serde::Serialize;

use crate::error::ApiError;
use crate::path::{Segments, service_and_qualifier};
use crate::query::Query;
use crate::reply;
use crate::state::ApiState;

pub(crate) const PREFIX: &str = "/bide/v1/services/";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogsBody<'a> {
    invocation_id: &'a str,
    request_id: &'a str,
    status: &'static str,
    /// How many attempts began so far.
    attempts: u32,
    /// Of the first and the last attempts, in their order.
    logs: Vec<LogBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogBody<'a> {
    attempt: u32,
    state: LogState,
    #[serde(flatten)]
    kept: Option<Kept<'a>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
enum LogState {
    Kept,
    /// The attempt has ended, and wrote nothing that was kept.
    Empty,
    Running,
    /// The server ended without a word, and the log with it.
    Lost,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Kept<'a> {
    /// How the attempt ended.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_type: Option<&'static str>,
    instance_id: &'a str,
    end_time: u64,
    duration_ms: u64,
    /// Before what is shown.
    dropped_bytes: u64,
    log: String,
}

/// Answers a call below [`PREFIX`]; `rest` is what follows it. `None` if there is no such route.
pub(crate) async fn route(
    state: &ApiState,
    method: &Method,
    rest: &str,
    query: Option<&str>,
    account: &AccountId,
) -> Result<Option<Response<Body>>, ApiError> {
    let Some(segments) = Segments::parse(rest) else { return Ok(None) };
    let texts = segments.texts();
    let (&Method::GET, &[service, "functions", function, "tasks", task, "logs"]) =
        (method, &texts[..segments.count()])
    else {
        return Ok(None);
    };
    let (service, qualifier) = service_and_qualifier(service)?;
    let target = state.engine.resolve(account, service, function, &qualifier)?;
    let task = TaskId::new(task)
        .map_err(|error| ApiError::new(ErrorCode::StatefulAsyncInvocationNotFound, error.to_string()))?;
    let attempt = Query::parse(query)?.number("attempt", 1..=u32::MAX)?;
    let found = state.engine.task_logs(&target, &task).await?;
    if let Some(attempt) = attempt.filter(|attempt| *attempt > found.invocation.runs) {
        let began = found.invocation.runs;
        return Err(ApiError::invalid(format!("attempt {attempt} has not begun; {began} have")));
    }
    Ok(Some(reply::json(&LogsBody::new(&found, attempt))))
}

impl<'a> LogsBody<'a> {
    fn new(found: &'a TaskLogs, only: Option<u32>) -> Self {
        let invocation = &found.invocation;
        let runs = invocation.runs;
        let mut attempts: Vec<u32> = match only {
            Some(attempt) => vec![attempt],
            None => attempt_logs_window(runs).chain(found.logs.iter().map(|log| log.attempt)).collect(),
        };
        attempts.sort_unstable();
        attempts.dedup();
        let logs = attempts.into_iter().map(|attempt| {
            let kept = found.logs.iter().find(|log| log.attempt == attempt);
            let is_running = attempt == runs && invocation.instance().is_some();
            LogBody::new(attempt, kept, is_running)
        });
        Self {
            invocation_id: invocation.task_id().map_or("", TaskId::as_str),
            request_id: invocation.request_id.as_str(),
            status: invocation.status().as_str(),
            attempts: runs,
            logs: logs.collect(),
        }
    }
}

impl<'a> LogBody<'a> {
    fn new(attempt: u32, kept: Option<&'a AttemptLog>, is_running: bool) -> Self {
        let state = match kept {
            Some(log) if log.end == AttemptEnd::Lost => LogState::Lost,
            Some(_) => LogState::Kept,
            None if is_running => LogState::Running,
            None => LogState::Empty,
        };
        Self { attempt, state, kept: kept.map(Kept::new) }
    }
}

impl<'a> Kept<'a> {
    fn new(log: &'a AttemptLog) -> Self {
        let (result, error_type) = match log.end {
            AttemptEnd::Succeeded => ("Succeeded", None),
            AttemptEnd::Failed(error) => ("Failed", Some(error_type(error))),
            AttemptEnd::SystemError => ("SystemError", None),
            AttemptEnd::Stopped => ("Stopped", None),
            AttemptEnd::Interrupted => ("Interrupted", None),
            AttemptEnd::Lost => ("Lost", None),
        };
        Self {
            result,
            error_type,
            instance_id: log.instance.as_ref().map_or("", InstanceId::as_str),
            end_time: log.ended_at.as_millis(),
            duration_ms: u64::try_from(log.duration.as_millis()).unwrap_or(u64::MAX),
            dropped_bytes: log.log.dropped_bytes,
            log: String::from_utf8_lossy(&log.log.text).into_owned(),
        }
    }
}

/// As in the request log (fc-behaviour 9.2).
fn error_type(error: FunctionError) -> &'static str {
    match error {
        FunctionError::Handled | FunctionError::Unhandled => error.error_type(),
        FunctionError::TimedOut => "FunctionTimeoutError",
        FunctionError::OutOfMemory => "FunctionOOMError",
    }
}
