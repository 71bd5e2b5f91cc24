//! Stop: the caller ends the invocation. FinishStop: the instance that ran it is gone.
//!
//! Work that waits is settled at once and never runs. Work with a lease out goes through Stopping, since code may be
//! executing. After a crash in between, the lease lapses and the invocation is stopped (see `lapse`).

use bide_types::Timestamp;

use super::{Rejected, Run, Transition, become_state, check_epoch, settle};
use crate::invocation::{Epoch, Invocation, State};
use crate::policy::Policy;
use crate::settlement::Outcome;

pub(super) fn stop(invocation: &Invocation, policy: Policy, now: Timestamp) -> Result<Transition, Rejected> {
    let mut next = invocation.clone();
    next.policy = Some(policy);
    match &invocation.state {
        State::Enqueued | State::Backoff { .. } | State::Retrying { .. } => {
            Ok(settle(next, Outcome::Stopped, Run::default(), now))
        }
        State::Dequeued { lease } => {
            let state = State::Stopping { lease: *lease, instance: None, since: now };
            Ok(become_state(&next, state, now, ""))
        }
        State::Running { lease, instance, since } => {
            let state = State::Stopping { lease: *lease, instance: Some(instance.clone()), since: *since };
            Ok(become_state(&next, state, now, ""))
        }
        State::Stopping { .. } | State::Settled(_) => Err(Rejected::WrongState(invocation.status())),
    }
}

pub(super) fn finish(invocation: &Invocation, epoch: Epoch, now: Timestamp) -> Result<Transition, Rejected> {
    check_epoch(invocation, epoch)?;
    match &invocation.state {
        State::Stopping { instance, since, .. } => {
            let duration = if instance.is_some() { now.since(*since) } else { std::time::Duration::ZERO };
            let run = Run { duration, ..Run::default() };
            Ok(settle(invocation.clone(), Outcome::Stopped, run, now))
        }
        State::Enqueued
        | State::Dequeued { .. }
        | State::Backoff { .. }
        | State::Running { .. }
        | State::Retrying { .. }
        | State::Settled(_) => Err(Rejected::WrongState(invocation.status())),
    }
}

#[cfg(test)]
mod tests;
