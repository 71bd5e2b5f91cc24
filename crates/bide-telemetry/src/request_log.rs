//! The request log: one record for each attempt, with the published fields (fc-behaviour 9.2).
//!
//! Owns the fields and the target of the log that they go to, [`TARGET`]. A record never holds an event, a result, what
//! code printed, or a secret. The attempts of one invocation share its request id and differ in `attempt`. Whoever reads
//! the server's log reads these records: a crash may lose the last of them, never the work.

use bide_engine::{AttemptFacts, AttemptResult, FunctionErrorCause, Observer, Seen};

use crate::metrics::error_type;

/// The target of the records, for filters of the log.
pub const TARGET: &str = "bide::request";

/// Writes a record at the end of each attempt.
#[derive(Clone, Debug)]
pub struct RequestLog {
    host: String,
}

impl RequestLog {
    /// `host` is the name of this host.
    pub fn new(host: String) -> Self {
        Self { host }
    }
}

impl Observer for RequestLog {
    fn observe(&self, seen: &Seen<'_>) {
        if let Seen::AttemptEnded(end) = seen {
            record(end, &self.host);
        }
    }
}

/// Times are in milliseconds, those of starts since 1970; memory is in MB (2^20 bytes), and its use the peak of the
/// instance so far. `attempt` counts from 1 the attempts whose code was started, this one included; what was refused
/// before its code ran is told apart by `epoch`, which no two attempts of an invocation share.
fn record(end: &AttemptFacts<'_>, host: &str) {
    let (spec, outcome) = (end.spec, end.outcome);
    let (function, invocation) = (&spec.function, end.invocation);
    let error_type = match &outcome.result {
        AttemptResult::FunctionError { kind, cause, .. } => error_type(*kind, *cause),
        _ => "",
    };
    tracing::info!(
        target: TARGET,
        operation = "InvokeFunction",
        accountId = function.account.as_str(),
        serviceName = function.service.as_str(),
        functionName = function.name.as_str(),
        qualifier = end.qualifier.as_str(),
        versionId = spec.version_id.as_str(),
        requestId = end.request_id.as_str(),
        invocationType = end.invocation_type().as_str(),
        overHttp = end.over_http,
        attempt = invocation.map_or(0, |invocation| invocation.runs) + 1,
        epoch = invocation.map_or(0, |invocation| invocation.epoch.0),
        retryCount = invocation.map_or(0, |invocation| invocation.retries),
        taskId = invocation.and_then(|invocation| Some(invocation.task_id()?.as_str())),
        instanceID = outcome.instance.as_str(),
        isColdStart = outcome.cold_start,
        instanceEvent = instance_event(&outcome.result),
        memoryMB = function.memory_mb,
        memoryUsageMB = (outcome.memory_max_mb * 100.0).round() / 100.0,
        invocationStartTimestamp = end.began_at.as_millis(),
        scheduleLatencyMs = millis(end.took.saturating_sub(outcome.duration)),
        durationMs = millis(outcome.duration),
        invokeFunctionLatencyMs = millis(end.took),
        result = result(&outcome.result),
        hasFunctionError = !error_type.is_empty(),
        errorType = error_type,
        hostname = host,
        traceContext = end.span.map(|span| span.context()),
        isSampled = end.span.map(|span| span.sampled),
        "attempt"
    );
}

/// To the microsecond, which is as fine as the clock is worth.
fn millis(duration: std::time::Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

fn result(result: &AttemptResult) -> &'static str {
    match result {
        AttemptResult::Returned(_) => "Returned",
        AttemptResult::FunctionError { .. } => "FunctionError",
        AttemptResult::SystemError { .. } => "SystemError",
        AttemptResult::Stopped => "Stopped",
    }
}

/// What became of the instance, if the attempt was its end.
fn instance_event(result: &AttemptResult) -> &'static str {
    match result {
        AttemptResult::FunctionError { cause, .. } => match cause {
            FunctionErrorCause::Timeout | FunctionErrorCause::OutOfMemory => "InstanceKilled",
            FunctionErrorCause::ProcessExited => "InstanceExited",
            FunctionErrorCause::StartFailed => "InstanceStartFailed",
            FunctionErrorCause::Raised => "",
        },
        AttemptResult::Returned(_) | AttemptResult::SystemError { .. } | AttemptResult::Stopped => "",
    }
}
