//! Start: the code of an attempt is about to run.
//!
//! After a crash the attempt has no result and is made again. The record need not be on disk before the code starts: the
//! epoch that fences this attempt is never granted again.

use bide_types::{InstanceId, Timestamp};

use super::{Rejected, Transition, become_state, check_epoch};
use crate::invocation::{Epoch, Invocation, State};

pub(super) fn start(
    invocation: &Invocation,
    epoch: Epoch,
    instance: InstanceId,
    now: Timestamp,
) -> Result<Transition, Rejected> {
    check_epoch(invocation, epoch)?;
    match &invocation.state {
        State::Dequeued { lease } => {
            let mut next = invocation.clone();
            next.runs += 1;
            Ok(become_state(&next, State::Running { lease: *lease, instance, since: now }, now, ""))
        }
        State::Enqueued
        | State::Backoff { .. }
        | State::Running { .. }
        | State::Retrying { .. }
        | State::Stopping { .. }
        | State::Settled(_) => Err(Rejected::WrongState(invocation.status())),
    }
}
