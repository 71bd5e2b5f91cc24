//! One slot: the right to run one request on one seat.
//!
//! Owns giving the slot back exactly once, whatever happens: used, unused, cancelled, or dropped half way.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::book::{Grant, Key};
use super::{Seat, Shared};
use crate::executor::{
    AttemptOutcome, AttemptResult, BoxFuture, Cancel, FunctionErrorCause, InvokeRequest, Slot, StartedHook,
};
use crate::instance::{Attempt, FailedStart, Instance};
use crate::runtime::StartFailure;

pub(super) struct PoolSlot {
    shared: Arc<Shared>,
    key: Key,
    seat: Arc<Seat>,
    cold: bool,
    run: Option<Duration>,
}

impl PoolSlot {
    pub(super) fn new(shared: Arc<Shared>, grant: Grant<Arc<Seat>>) -> Self {
        Self { shared, key: grant.key, seat: grant.instance, cold: grant.cold, run: None }
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

    async fn run(mut self, request: InvokeRequest, cancel: Cancel, started: StartedHook) -> AttemptOutcome {
        let instance = match self.instance(&cancel).await {
            Some(Ok(instance)) => instance,
            Some(Err(failed)) => return self.unstarted(failed_result(failed.failure), failed.log_tail),
            None => return self.unstarted(AttemptResult::Stopped, Bytes::new()),
        };
        let attempt = instance.run(&request, &cancel, self.cold, started).await;
        let Attempt { result, duration, memory_max_mb, log_tail } = attempt;
        self.run = Some(duration);
        let cold_start = self.cold;
        let closing = self.shared.closing.is_cancelled();
        drop(self);
        let result = if closing { blame_the_server(result) } else { result };
        AttemptOutcome {
            result,
            instance: instance.id.clone(),
            duration,
            memory_max_mb,
            cold_start,
            log_tail,
        }
    }

    fn unstarted(self, result: AttemptResult, log_tail: Bytes) -> AttemptOutcome {
        AttemptOutcome {
            result,
            instance: self.seat.id.clone(),
            duration: Duration::ZERO,
            memory_max_mb: 0.0,
            cold_start: true,
            log_tail,
        }
    }
}

fn failed_result(failure: StartFailure) -> AttemptResult {
    match failure {
        StartFailure::System(message) => AttemptResult::SystemError { message },
        StartFailure::Function(result) => result,
    }
}

/// A process that the shutdown of the server took away is not the function's fault.
fn blame_the_server(result: AttemptResult) -> AttemptResult {
    match result {
        AttemptResult::FunctionError { cause: FunctionErrorCause::ProcessExited, .. } => {
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
