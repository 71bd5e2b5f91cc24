//! One slot: the right to run one request on one seat.
//!
//! Owns giving the slot back exactly once, whatever happens: used, unused, cancelled, or dropped half way. A seat that
//! turns out to be none before the request was sent to it is exchanged for another.

use std::sync::Arc;
use std::time::Duration;

use bide_types::InstanceId;

use super::book::{Grant, Key};
use super::{Seat, Shared};
use crate::executor::{
    AttemptOutcome, AttemptResult, BoxFuture, Cancel, FunctionErrorCause, FunctionSpec, InvokeRequest, Slot,
    StartedHook,
};
use crate::instance::{Attempt, FailedStart, Instance, log_note};
use crate::logs::Captured;
use crate::runtime::StartFailure;

/// How often a seat is exchanged for one attempt.
const EXCHANGES_MAX: usize = 3;

pub(super) struct PoolSlot {
    shared: Arc<Shared>,
    spec: Arc<FunctionSpec>,
    key: Key,
    seat: Arc<Seat>,
    cold: bool,
    run: Option<Duration>,
}

impl PoolSlot {
    pub(super) fn new(shared: Arc<Shared>, grant: Grant<Arc<Seat>>) -> Self {
        Self { shared, spec: grant.spec, key: grant.key, seat: grant.instance, cold: grant.cold, run: None }
    }

    /// The seat's instance, once its start has ended; `None` if cancelled before.
    async fn instance(&self, cancel: &Cancel) -> Option<Result<Arc<Instance>, FailedStart>> {
        if let Some(outcome) = self.seat.outcome.borrow().clone() {
            return Some(outcome);
        }
        let mut outcomes = self.seat.outcome.subscribe();
        tokio::select! {
            outcome = outcomes.wait_for(Option::is_some) => {
                outcome.expect("the seat holds the sender").clone()
            }
            () = cancel.cancelled() => None,
        }
    }

    async fn run(self, request: InvokeRequest, cancel: Cancel, started: StartedHook) -> AttemptOutcome {
        let (mut slot, instance) = match self.ready(&request, &cancel).await {
            Ok(ready) => ready,
            Err(outcome) => return *outcome,
        };
        let attempt = instance.run(&request, &cancel, slot.cold, started).await;
        let Attempt { result, duration, memory_max_mb, log } = attempt;
        slot.run = Some(duration);
        let cold_start = slot.cold;
        let closing = slot.shared.closing.is_cancelled();
        drop(slot);
        let result = if closing { blame_the_server(result) } else { result };
        AttemptOutcome {
            result,
            instance: instance.id.clone(),
            duration,
            memory_max_mb,
            cold_start,
            log_tail: log.tail,
            log: log.log,
        }
    }

    /// A slot whose instance can take the request: this one, or another if its seat is none any more.
    async fn ready(
        mut self,
        request: &InvokeRequest,
        cancel: &Cancel,
    ) -> Result<(Self, Arc<Instance>), Box<AttemptOutcome>> {
        for _ in 0..=EXCHANGES_MAX {
            let (result, log) = match self.instance(cancel).await {
                Some(Ok(instance)) if instance.is_usable() => return Ok((self, instance)),
                // Gone since the slot was taken.
                Some(Ok(_)) => {
                    self = self.exchange(cancel).await?;
                    continue;
                }
                Some(Err(FailedStart { failure: StartFailure::System(message), .. })) => {
                    (AttemptResult::SystemError { message }, Captured::default())
                }
                Some(Err(FailedStart { failure: StartFailure::Function(result), log })) => {
                    let log = log.captured(&request.request_id, log_note(&result));
                    (result, log)
                }
                None => (AttemptResult::Stopped, Captured::default()),
            };
            return Err(Box::new(unstarted(self.seat.id.clone(), result, log)));
        }
        let message = "no instance of the function stays".to_owned();
        let result = AttemptResult::SystemError { message };
        Err(Box::new(unstarted(self.seat.id.clone(), result, Captured::default())))
    }

    /// Gives the slot back and takes another one, in line with everybody who waits.
    async fn exchange(self, cancel: &Cancel) -> Result<Self, Box<AttemptOutcome>> {
        let (shared, spec, id) = (Arc::clone(&self.shared), Arc::clone(&self.spec), self.seat.id.clone());
        drop(self);
        let result = tokio::select! {
            slot = shared.reserve(&spec) => match slot {
                Ok(slot) => return Ok(slot),
                Err(throttled) => AttemptResult::SystemError { message: throttled.reason },
            },
            () = cancel.cancelled() => AttemptResult::Stopped,
        };
        Err(Box::new(unstarted(id, result, Captured::default())))
    }
}

/// The outcome of an attempt whose request reached no handler.
fn unstarted(instance: InstanceId, result: AttemptResult, log: Captured) -> AttemptOutcome {
    AttemptOutcome {
        result,
        instance,
        duration: Duration::ZERO,
        memory_max_mb: 0.0,
        cold_start: true,
        log_tail: log.tail,
        log: log.log,
    }
}

/// A process that the shutdown of the server took away is not the function's fault.
fn blame_the_server(result: AttemptResult) -> AttemptResult {
    match result {
        AttemptResult::FunctionError { cause: FunctionErrorCause::ProcessExited, .. }
        | AttemptResult::SystemError { .. } => {
            AttemptResult::SystemError { message: "the server is shutting down".to_owned() }
        }
        other => other,
    }
}

impl Drop for PoolSlot {
    fn drop(&mut self) {
        let usable = self.seat.instance().is_none_or(|instance| instance.is_usable());
        self.shared.release(&self.key, self.seat.number, self.run, usable);
    }
}

impl Slot for PoolSlot {
    fn invoke(
        self: Box<Self>,
        request: InvokeRequest,
        cancel: Cancel,
        started: StartedHook,
    ) -> BoxFuture<'static, AttemptOutcome> {
        Box::pin(self.run(request, cancel, started))
    }
}
