//! One attempt: run the code under its lease, then report how it ended.
//!
//! Owns the translation of outcomes into commands. Every command carries the epoch of this attempt's lease, so a
//! report that comes too late changes nothing. After a crash there is no report; the lease lapses.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bide_core::{CallKind, Command, Epoch, Failure, FunctionError, Invocation, Run};
use bide_runtime::{
    AttemptLog, AttemptOutcome, AttemptResult, FunctionErrorCause, FunctionErrorKind, FunctionSpec,
    InvokeRequest, Tracing,
};
use bide_store::{Claimed, LogText, Transition, TransitionReply};
use bide_types::limits::RETURN_PAYLOAD_BYTES_MAX;
use bide_types::{InstanceId, InvocationId};
use bytes::Bytes;

use super::Reserved;
use crate::http_payload;
use crate::observer::{AttemptFacts, Began, Seen};
use crate::start::Shared;
use crate::trace::SpanIds;

/// Runs one claimed invocation in a reserved slot, to the durable end of the attempt.
pub(super) async fn run(shared: Arc<Shared>, claimed: Claimed, Reserved { spec, slot }: Reserved) {
    let Claimed { invocation, payload } = claimed;
    let (id, epoch) = (invocation.id, invocation.epoch);
    let _leave = LeaveOnDrop { shared: Arc::clone(&shared), id, epoch };
    let Some(cancel) = shared.running.cancel_signal(id, epoch) else {
        unreachable!("the batcher enters every claimed invocation");
    };
    let start = Arc::new(StartRecord { shared: Arc::clone(&shared), unsent: Mutex::new(None) });
    let began = Began::now(&shared);
    let sampling = shared.options.sampling;
    let span = sampling.map(|sampling| SpanIds::of_attempt(&invocation, sampling));
    shared.observe(&Seen::AttemptBegan {
        spec: &spec,
        invocation: &invocation,
        waited: is_first(&invocation).then(|| began.at.since(invocation.not_before)),
        began_at: began.at,
        span: sampling.map(|sampling| SpanIds::of_queue(&invocation, sampling)),
    });
    let started = {
        let start = Arc::clone(&start);
        move |instance| start.note(id, epoch, instance)
    };
    let outcome = match request(&invocation, payload, span) {
        Ok(request) => slot.invoke(request, cancel, Box::new(started)).await,
        Err(damage) => not_run(damage.to_string()),
    };
    start.finish().await;
    log(&spec, &invocation, &outcome);
    shared.observe(&Seen::AttemptEnded(&AttemptFacts {
        spec: &spec,
        qualifier: &invocation.qualifier,
        request_id: &invocation.request_id,
        invocation: Some(&invocation),
        over_http: invocation.kind == CallKind::Http,
        began_at: began.at,
        took: began.took(&shared),
        outcome: &outcome,
        span,
    }));
    report(&shared, &invocation, outcome).await;
}

/// Whether no attempt was made before this one.
fn is_first(invocation: &Invocation) -> bool {
    invocation.runs == 0 && invocation.refusals.is_none()
}

/// What the instance is asked.
fn request(
    invocation: &Invocation,
    payload: Bytes,
    span: Option<SpanIds>,
) -> Result<InvokeRequest, http_payload::Undecodable> {
    let (http, payload) = match invocation.kind {
        CallKind::Event => (None, payload),
        CallKind::Http => {
            let (request, body) = http_payload::decode(&payload)?;
            (Some(Arc::new(request)), body)
        }
    };
    Ok(InvokeRequest {
        request_id: invocation.request_id.clone(),
        payload,
        retry_count: invocation.retries,
        task_id: invocation.task_id().cloned(),
        alias: Some(&invocation.qualifier).filter(|qualifier| qualifier.is_alias()).cloned(),
        tracing: span.map(|span| span.tell(Tracing::default())).unwrap_or_default(),
        http,
        responder: None,
    })
}

/// The outcome of an attempt that the platform could not even begin.
fn not_run(message: String) -> AttemptOutcome {
    AttemptOutcome {
        result: AttemptResult::SystemError { message },
        instance: InstanceId::new("none").expect("a valid id"),
        duration: Duration::ZERO,
        memory_max_mb: 0.0,
        cold_start: false,
        log_tail: Bytes::new(),
        log: AttemptLog::default(),
    }
}

/// The record that an attempt runs. It rides along with the next flush; if the queue is full it is kept and sent
/// before the attempt's end.
struct StartRecord {
    shared: Arc<Shared>,
    unsent: Mutex<Option<Transition>>,
}

impl StartRecord {
    fn note(&self, invocation: InvocationId, epoch: Epoch, instance: InstanceId) {
        let transition =
            Transition { invocation, command: Command::Start { epoch, instance }, result: None, log: None };
        if let Some(unsent) = self.shared.batcher.ride_along(transition) {
            *self.unsent.lock().expect("nobody panics while holding the record") = Some(unsent);
        }
    }

    async fn finish(&self) {
        let unsent = self.unsent.lock().expect("nobody panics while holding the record").take();
        if let Some(transition) = unsent {
            // A store that fails here fails the report of the end as well, which is logged.
            let _ = self.shared.batcher.transition(transition).await;
        }
    }
}

/// Makes the end of the attempt durable.
async fn report(shared: &Shared, invocation: &Invocation, outcome: AttemptOutcome) {
    let is_task = invocation.task_id().is_some();
    let log =
        is_task.then(|| LogText { text: outcome.log.text.clone(), dropped_bytes: outcome.log.dropped_bytes });
    let (command, result) = conclude(invocation, outcome, shared.running.is_interrupted());
    let transition = Transition { invocation: invocation.id, command, result, log };
    match shared.batcher.transition(transition).await {
        Ok(TransitionReply::Applied { .. }) => {}
        Ok(TransitionReply::Rejected(rejected)) => {
            tracing::warn!(invocation = %invocation.id, %rejected, "the end of an attempt came too late");
        }
        Ok(TransitionReply::NotFound) => {
            tracing::warn!(invocation = %invocation.id, "the record of an attempt is gone");
        }
        Err(error) => {
            tracing::error!(invocation = %invocation.id, %error, "the end of an attempt could not be stored");
        }
    }
}

fn conclude(invocation: &Invocation, outcome: AttemptOutcome, interrupted: bool) -> (Command, Option<Bytes>) {
    let epoch = invocation.epoch;
    let run = Run { duration: outcome.duration, instance: Some(outcome.instance) };
    match outcome.result {
        AttemptResult::Returned(value) => (Command::Succeed { epoch, run }, keep(invocation, value)),
        AttemptResult::FunctionError { kind, cause, body } => {
            let failure = Failure::Function(function_error(kind, cause));
            (Command::Fail { epoch, failure, run }, keep(invocation, body))
        }
        AttemptResult::SystemError { .. } => (Command::Fail { epoch, failure: Failure::System, run }, None),
        AttemptResult::Stopped if interrupted => (Command::Lapse { epoch }, None),
        AttemptResult::Stopped => (Command::FinishStop { epoch }, None),
    }
}

/// A result is kept if somebody may ask for it: a task's record, or a destination.
fn keep(invocation: &Invocation, result: Bytes) -> Option<Bytes> {
    let policy = invocation.policy.as_ref();
    let wanted = invocation.task_id().is_some()
        || policy.is_some_and(|policy| policy.on_success.is_some() || policy.on_failure.is_some());
    if wanted && result.len() > RETURN_PAYLOAD_BYTES_MAX {
        let (request_id, bytes) = (&invocation.request_id, result.len());
        tracing::warn!(%request_id, bytes, "the result is too large to be kept");
        return None;
    }
    wanted.then_some(result)
}

fn function_error(kind: FunctionErrorKind, cause: FunctionErrorCause) -> FunctionError {
    match (cause, kind) {
        (FunctionErrorCause::Timeout, _) => FunctionError::TimedOut,
        (FunctionErrorCause::OutOfMemory, _) => FunctionError::OutOfMemory,
        (_, FunctionErrorKind::Handled) => FunctionError::Handled,
        (
            FunctionErrorCause::Raised | FunctionErrorCause::ProcessExited | FunctionErrorCause::StartFailed,
            FunctionErrorKind::Unhandled,
        ) => FunctionError::Unhandled,
    }
}

fn log(spec: &FunctionSpec, invocation: &Invocation, outcome: &AttemptOutcome) {
    let function = &spec.function;
    if let AttemptResult::SystemError { message } = &outcome.result {
        tracing::error!(function = %function.name, request_id = %invocation.request_id, message, "an attempt failed");
    }
    tracing::debug!(
        service = %function.service,
        function = %function.name,
        version = %spec.qualifier,
        request_id = %invocation.request_id,
        epoch = invocation.epoch.0,
        retries = invocation.retries,
        instance = %outcome.instance,
        cold_start = outcome.cold_start,
        duration_ms = outcome.duration.as_secs_f64() * 1000.0,
        failed = !matches!(outcome.result, AttemptResult::Returned(_)),
        "attempt"
    );
}

struct LeaveOnDrop {
    shared: Arc<Shared>,
    id: InvocationId,
    epoch: Epoch,
}

impl Drop for LeaveOnDrop {
    fn drop(&mut self) {
        self.shared.running.leave(self.id, self.epoch);
    }
}
