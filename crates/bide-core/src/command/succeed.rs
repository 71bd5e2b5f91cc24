//! Succeed: the code returned.
//!
//! A success that comes after a stop was acknowledged ends as stopped: what is recorded first wins (fc-behaviour 12).

use bide_types::Timestamp;

use super::{Rejected, Run, Transition, check_epoch, settle};
use crate::invocation::{Epoch, Invocation, State};
use crate::settlement::Outcome;

pub(super) fn succeed(
    invocation: &Invocation,
    epoch: Epoch,
    run: Run,
    now: Timestamp,
) -> Result<Transition, Rejected> {
    check_epoch(invocation, epoch)?;
    match invocation.state {
        State::Running { .. } => Ok(settle(invocation.clone(), Outcome::Succeeded, run, now)),
        State::Stopping { .. } => Ok(settle(invocation.clone(), Outcome::Stopped, run, now)),
        State::Enqueued
        | State::Dequeued { .. }
        | State::Backoff { .. }
        | State::Retrying { .. }
        | State::Settled(_) => Err(Rejected::WrongState(invocation.status())),
    }
}
