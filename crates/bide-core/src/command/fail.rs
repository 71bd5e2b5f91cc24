//! Fail: an attempt ended without success.
//!
//! Owns the split by class (FC "Retry policies"): a function error uses up one of the configured retries; throttling
//! and faults of the platform wait outside that count, for at most five hours.

use bide_types::Timestamp;

use super::{Failure, FunctionError, Rejected, Run, Transition, become_state, check_epoch, settle};
use crate::backoff;
use crate::invocation::{Epoch, Invocation, Refusals, State};
use crate::settlement::Outcome;

pub(super) fn fail(
    invocation: &Invocation,
    epoch: Epoch,
    failure: Failure,
    run: Run,
    now: Timestamp,
) -> Result<Transition, Rejected> {
    check_epoch(invocation, epoch)?;
    match (&invocation.state, failure) {
        (State::Stopping { .. }, _) => Ok(settle(invocation.clone(), Outcome::Stopped, run, now)),
        (State::Running { .. } | State::Dequeued { .. }, Failure::Function(error)) => {
            Ok(function_error(invocation, error, run, now))
        }
        (State::Running { .. } | State::Dequeued { .. }, Failure::Throttled | Failure::System) => {
            Ok(refuse(invocation, failure, run, now))
        }
        (State::Enqueued | State::Backoff { .. } | State::Retrying { .. } | State::Settled(_), _) => {
            Err(Rejected::WrongState(invocation.status()))
        }
    }
}

fn function_error(invocation: &Invocation, error: FunctionError, run: Run, now: Timestamp) -> Transition {
    let mut next = invocation.clone();
    if matches!(invocation.state, State::Dequeued { .. }) {
        next.runs += 1; // its code could not even be loaded: that was the attempt
    }
    next.refusals = None;
    let retries_max = invocation.policy.as_ref().map_or(0, |policy| policy.retries_max);
    if invocation.retries >= retries_max {
        return settle(next, Outcome::Failed { failure: Failure::Function(error) }, run, now);
    }
    next.retries += 1;
    let due = now.plus(backoff::after_function_error(next.retries));
    become_state(&next, State::Retrying { due }, now, error.error_type())
}

/// The platform did not carry the attempt through: wait, or give up when the chain has gone on for long enough.
pub(super) fn refuse(invocation: &Invocation, failure: Failure, run: Run, now: Timestamp) -> Transition {
    let (refusals, due) = backoff::after_refusal(chain(invocation, now), now);
    let mut next = invocation.clone();
    next.refusals = Some(refusals);
    match due {
        None => settle(next, Outcome::Failed { failure }, run, now),
        Some(due) => {
            next.state = State::Backoff { due };
            Transition { next, delivery: None }
        }
    }
}

/// The refusals that this one continues. A run that went well for longer than the longest wait begins a new window, so
/// that a long run that is interrupted is not mistaken for hours of refusals; the count goes on.
fn chain(invocation: &Invocation, now: Timestamp) -> Option<Refusals> {
    let refusals = invocation.refusals?;
    match &invocation.state {
        State::Running { since, .. } if now.since(*since) > backoff::REFUSAL_CEILING => {
            Some(Refusals { since: now, ..refusals })
        }
        State::Enqueued
        | State::Dequeued { .. }
        | State::Backoff { .. }
        | State::Running { .. }
        | State::Retrying { .. }
        | State::Stopping { .. }
        | State::Settled(_) => Some(refusals),
    }
}

#[cfg(test)]
mod tests;
