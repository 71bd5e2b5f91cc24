//! Lapse: the process that held the lease is gone, and nobody knows how the attempt ended.
//!
//! The attempt is made again (at least once), outside the counted retries. If a stop was asked for, the instance died
//! with its server and the invocation is stopped.

use bide_types::Timestamp;

use super::{Failure, Rejected, Run, Transition, check_epoch, fail, settle};
use crate::invocation::{Epoch, Invocation, State};
use crate::settlement::Outcome;

pub(super) fn lapse(invocation: &Invocation, epoch: Epoch, now: Timestamp) -> Result<Transition, Rejected> {
    check_epoch(invocation, epoch)?;
    match &invocation.state {
        State::Dequeued { .. } | State::Running { .. } => {
            Ok(fail::refuse(invocation, Failure::System, Run::default(), now))
        }
        State::Stopping { .. } => Ok(settle(invocation.clone(), Outcome::Stopped, Run::default(), now)),
        State::Enqueued | State::Backoff { .. } | State::Retrying { .. } | State::Settled(_) => {
            Err(Rejected::NotHeld)
        }
    }
}

#[cfg(test)]
mod tests;
