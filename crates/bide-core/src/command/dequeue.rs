//! Dequeue: due work is taken for an attempt. Expire: overdue work is dropped from a line that does not move.
//!
//! Owns the age check, made once, when an invocation first leaves the queue (fc-behaviour 1.6), and the grant of the
//! epoch. After a crash either the lease was stored and lapses with its holder, or the work still waits; it is tried again
//! in both cases, and the epoch is what makes a late result of the lost attempt harmless.

use bide_types::Timestamp;

use super::{Rejected, Run, Transition, become_state, settle};
use crate::invocation::{Invocation, Lease, LeaseHolder, State};
use crate::policy::Policy;
use crate::settlement::Outcome;

pub(super) fn dequeue(
    invocation: &Invocation,
    policy: Policy,
    (holder, expires_at): (LeaseHolder, Timestamp),
    now: Timestamp,
) -> Result<Transition, Rejected> {
    let due = invocation.due().ok_or(Rejected::Held { current: invocation.epoch })?;
    if now < due {
        return Err(Rejected::NotDue { due });
    }
    if let Ok(expired) = expire(invocation, &policy, now) {
        return Ok(expired);
    }
    let mut next = invocation.clone();
    next.policy = Some(policy);
    next.epoch = invocation.epoch.next(holder);
    let lease = Lease { epoch: next.epoch, holder, expires_at };
    if matches!(invocation.state, State::Enqueued) {
        return Ok(become_state(&next, State::Dequeued { lease }, now, ""));
    }
    // Later dequeues are no news to the caller: the timeline goes from Retrying to Running (fc-behaviour 3.4).
    next.state = State::Dequeued { lease };
    Ok(Transition { next, delivery: None })
}

pub(super) fn expire(
    invocation: &Invocation,
    policy: &Policy,
    now: Timestamp,
) -> Result<Transition, Rejected> {
    match invocation.state {
        State::Enqueued if invocation.is_older_than(policy.age_max, now) => {
            let next = Invocation { policy: Some(policy.clone()), ..invocation.clone() };
            Ok(settle(next, Outcome::Expired, Run::default(), now))
        }
        State::Enqueued => Err(Rejected::NotExpired),
        State::Dequeued { .. }
        | State::Backoff { .. }
        | State::Running { .. }
        | State::Retrying { .. }
        | State::Stopping { .. }
        | State::Settled(_) => Err(Rejected::WrongState(invocation.status())),
    }
}

#[cfg(test)]
mod tests;
