//! Invocations: synchronous ones run at once, asynchronous ones are made durable and answered.
//!
//! Owns the rules of acceptance: task mode, task ids, delay against age, and the bound on events that wait for the
//! disk. A submission that is answered with an error was not stored, with one exception that nobody can avoid: when
//! the process dies before it answers.

use std::sync::Arc;
use std::time::Duration;

use bide_core::{CallKind, Enqueue};
use bide_runtime::{AttemptOutcome, AttemptResult, Cancel, HttpRequest, InvokeRequest, Slot, Tracing};
use bide_store::{Submission, SubmitReply};
use bide_types::{FunctionId, Qualifier, RequestId, TaskId, TraceParent};
use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::catalog::Target;
use crate::error::Error;
use crate::http_payload;
use crate::observer::{AttemptFacts, Began, Seen};
use crate::start::{Engine, Shared};
use crate::trace::SpanIds;

/// A call that waits for its result.
#[derive(Clone, Debug)]
pub struct SyncCall {
    pub request_id: RequestId,
    pub payload: Bytes,
    pub tracing: Tracing,
    /// The trace that the caller is in.
    pub parent: Option<TraceParent>,
}

/// A call that is answered once it is durable.
#[derive(Clone, Debug)]
pub struct AsyncCall {
    pub request_id: RequestId,
    /// As chosen by the caller; has a meaning in task mode only.
    pub task_id: Option<TaskId>,
    /// Task mode for this call, even if the configuration does not say so.
    pub stateful: bool,
    /// Time before the first attempt, from acceptance.
    pub delay: Duration,
    /// The event, or the body of an HTTP call.
    pub payload: Bytes,
    /// The trace that the caller is in.
    pub parent: Option<TraceParent>,
    /// Set for an HTTP call, which the function will see as it is.
    pub http: Option<HttpRequest>,
}

/// An asynchronous call is on stable storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Set in task mode.
    pub task_id: Option<TaskId>,
}

impl Engine {
    /// Runs a function and waits for the outcome.
    ///
    /// # Errors
    /// [`Error::Exhausted`] at an instance cap, [`Error::System`] when the platform could not run it. A failure of
    /// the function's own code is an outcome, not an error.
    pub async fn invoke(&self, target: &Target, call: SyncCall) -> Result<AttemptOutcome, Error> {
        self.check_open()?;
        let began = Began::now(&self.shared);
        let slot = self.reserve_slot(target).await?;
        let request_id = call.request_id.clone();
        let span = self.shared.span_of_call(&request_id, began, call.parent);
        let request = InvokeRequest {
            request_id: call.request_id,
            payload: call.payload,
            retry_count: 0,
            task_id: None,
            alias: target.alias(),
            tracing: told(span, call.tracing),
            http: None,
            responder: None,
        };
        let outcome = slot.invoke(request, Cancel::new(), Box::new(|_| {})).await;
        self.shared.observe_sync(target, &request_id, CallKind::Event, (began, span), &outcome);
        match outcome.result {
            AttemptResult::SystemError { message } => Err(Error::System(message)),
            AttemptResult::Stopped => Err(Error::ShuttingDown),
            AttemptResult::Returned(_) | AttemptResult::FunctionError { .. } => Ok(outcome),
        }
    }

    /// Tells that a call of the target was answered with `status`; `refused` when the function had no part in that.
    pub fn answered(&self, target: &Target, status: u16, refused: bool) {
        self.shared.observe(&Seen::Answered { function: target.function(), status, refused });
    }

    pub(crate) async fn reserve_slot(&self, target: &Target) -> Result<Box<dyn Slot>, Error> {
        let slot = self.shared.executor.reserve(&target.spec).await;
        slot.map_err(|throttled| {
            self.shared.observe(&Seen::Throttled { function: target.function(), cap: throttled.cap });
            Error::Exhausted(throttled.reason)
        })
    }

    /// Makes an asynchronous invocation durable.
    ///
    /// # Errors
    /// [`Error::TaskExists`] for a task id in use, [`Error::InvalidArgument`] for a delay that the maximum event age
    /// would overtake, [`Error::Exhausted`] when too much waits for the disk, [`Error::Store`] when it cannot be
    /// stored.
    pub async fn submit(&self, target: &Target, call: AsyncCall) -> Result<Accepted, Error> {
        self.check_open()?;
        let age_max = target.policy().age_max;
        if call.delay >= age_max {
            return Err(Error::InvalidArgument(format!(
                "the delay of {} s must be shorter than the maximum event age of {} s",
                call.delay.as_secs(),
                age_max.as_secs()
            )));
        }
        let (kind, payload) = match &call.http {
            None => (CallKind::Event, call.payload),
            Some(request) => (CallKind::Http, http_payload::encode(request, &call.payload)),
        };
        let room = self.reserve_room(payload.len())?;
        let task = (call.stateful || target.is_stateful())
            .then(|| call.task_id.unwrap_or_else(|| TaskId::from_request(&call.request_id)));
        let mut submission = submission(target, call.request_id, task.clone(), call.delay, payload);
        submission.enqueue.kind = kind;
        submission.enqueue.parent = call.parent;
        match self.shared.batcher.submit(submission, room).await? {
            SubmitReply::Accepted { .. } => Ok(Accepted { task_id: task }),
            SubmitReply::Duplicate => Err(Error::TaskExists(task.expect("only task ids are unique"))),
        }
    }

    /// Counts the bytes of an event against the bound on what waits for the disk, until the permit is dropped.
    fn reserve_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Error> {
        let kibibytes = u32::try_from(bytes / 1024 + 1).unwrap_or(u32::MAX);
        Arc::clone(&self.shared.unstored_kibibytes)
            .try_acquire_many_owned(kibibytes)
            .map_err(|_| Error::Exhausted("too many events wait to be stored; try again".to_owned()))
    }
}

/// What the function is told: its own span if that is recorded or not, else the context that the caller sent.
pub(crate) fn told(span: Option<SpanIds>, tracing: Tracing) -> Tracing {
    match span {
        Some(span) => span.tell(tracing),
        None => tracing,
    }
}

impl Shared {
    /// The span of a synchronous call, if spans are of use to anybody.
    pub(crate) fn span_of_call(
        &self,
        request_id: &RequestId,
        began: Began,
        caller: Option<TraceParent>,
    ) -> Option<SpanIds> {
        self.options.sampling.map(|sampling| SpanIds::of_call(request_id, began.at, caller, sampling))
    }

    /// Tells of the attempt of a synchronous call.
    pub(crate) fn observe_sync(
        &self,
        target: &Target,
        request_id: &RequestId,
        kind: CallKind,
        (began, span): (Began, Option<SpanIds>),
        outcome: &AttemptOutcome,
    ) {
        self.observe(&Seen::AttemptEnded(&AttemptFacts {
            spec: &target.spec,
            qualifier: &target.qualifier,
            request_id,
            invocation: None,
            over_http: kind == CallKind::Http,
            began_at: began.at,
            took: began.took(self),
            outcome,
            span,
        }));
    }
}

/// The submission of an event to a target, in task mode when `task` is given.
fn submission(
    target: &Target,
    request_id: RequestId,
    task: Option<TaskId>,
    delay: Duration,
    payload: Bytes,
) -> Submission {
    Submission {
        enqueue: Enqueue {
            function: target.function().id,
            qualifier: target.qualifier.clone(),
            request_id,
            kind: CallKind::Event,
            task,
            delay,
            parent: None,
            hops: 0,
        },
        payload,
    }
}

/// The submission of a tick to a qualifier that is gone: it will be invalid, and so be seen.
pub(crate) fn submission_to_nobody(
    function: FunctionId,
    qualifier: Qualifier,
    was_stateful: bool,
    request_id: RequestId,
    payload: Bytes,
) -> Submission {
    let task = was_stateful.then(|| TaskId::from_request(&request_id));
    let (kind, delay, parent) = (CallKind::Event, Duration::ZERO, None);
    let enqueue = Enqueue { function, qualifier, request_id, kind, parent, task, delay, hops: 0 };
    Submission { enqueue, payload }
}

/// The submission of an event that comes from within: a destination record, one hop further, or a tick.
pub(crate) fn internal_submission(
    target: &Target,
    request_id: RequestId,
    hops: u8,
    payload: Bytes,
) -> Submission {
    let task = target.is_stateful().then(|| TaskId::from_request(&request_id));
    let mut submission = submission(target, request_id, task, Duration::ZERO, payload);
    submission.enqueue.hops = hops;
    submission
}
