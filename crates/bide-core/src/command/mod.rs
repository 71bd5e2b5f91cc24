//! What can happen to an invocation: one command, one file.
//!
//! Owns [`step`], the only way to a new state. It is total: a pair that is not listed is [`Rejected`] with a reason,
//! and a rejected command changes nothing.

mod dequeue;
mod enqueue;
mod fail;
mod invalidate;
mod lapse;
mod start;
mod stop;
mod succeed;

use std::time::Duration;

use bide_types::{InstanceId, Timestamp};

use crate::invocation::{DestinationStatus, Epoch, Invocation, LeaseHolder, State, Status};
use crate::policy::Policy;
use crate::settlement::{Delivery, Outcome, Settlement, delivery};

pub use enqueue::{Enqueue, enqueue};

/// Something that happens to an accepted invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Take it from the queue under the policy now in force.
    Dequeue {
        policy: Policy,
        holder: LeaseHolder,
        expires_at: Timestamp,
    },
    /// Settle it if it has waited too long, else leave it.
    Expire {
        policy: Policy,
    },
    /// It can never run.
    Invalidate {
        reason: String,
        policy: Option<Policy>,
    },
    /// An instance is about to execute the code.
    Start {
        epoch: Epoch,
        instance: InstanceId,
    },
    Succeed {
        epoch: Epoch,
        run: Run,
    },
    Fail {
        epoch: Epoch,
        failure: Failure,
        run: Run,
    },
    /// The caller wants it ended.
    Stop {
        policy: Policy,
    },
    /// The instance that was to be ended is gone.
    FinishStop {
        epoch: Epoch,
    },
    /// The holder of the lease is gone; its attempt has no result.
    Lapse {
        epoch: Epoch,
    },
}

/// What is known of an attempt that ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Run {
    pub duration: Duration,
    /// `None` if it is the one that was named when the attempt started.
    pub instance: Option<InstanceId>,
}

/// Why an attempt failed; decides whether and when another follows (FC "Retry policies").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The code failed: counted retries.
    Function(FunctionError),
    /// No capacity: backoff, not counted.
    Throttled,
    /// A fault of the platform: backoff, not counted.
    System,
}

/// How the code failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FunctionError {
    /// A Node.js callback got an error.
    Handled,
    Unhandled,
    TimedOut,
    OutOfMemory,
}

/// A new state, and the destination record that its settlement calls for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    pub next: Invocation,
    pub delivery: Option<Delivery>,
}

/// Why a command changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    #[error("not due before {due:?}")]
    NotDue { due: Timestamp },
    #[error("a lease of epoch {current:?} is out")]
    Held { current: Epoch },
    #[error("the result is of epoch {given:?}, the lease of {current:?}")]
    StaleEpoch { given: Epoch, current: Epoch },
    #[error("no lease is out")]
    NotHeld,
    #[error("the invocation is {0:?}")]
    WrongState(Status),
    #[error("the invocation is settled as {0:?}")]
    Settled(Status),
    #[error("the invocation is not too old")]
    NotExpired,
}

/// Applies `command` to `invocation` at `now`.
///
/// # Errors
/// [`Rejected`] when the command does not apply to this state, epoch or time; then nothing changes.
pub fn step(invocation: &Invocation, command: Command, now: Timestamp) -> Result<Transition, Rejected> {
    if invocation.settlement().is_some() {
        return Err(Rejected::Settled(invocation.status()));
    }
    match command {
        Command::Dequeue { policy, holder, expires_at } => {
            dequeue::dequeue(invocation, policy, (holder, expires_at), now)
        }
        Command::Expire { policy } => dequeue::expire(invocation, &policy, now),
        Command::Invalidate { reason, policy } => invalidate::invalidate(invocation, reason, policy, now),
        Command::Start { epoch, instance } => start::start(invocation, epoch, instance, now),
        Command::Succeed { epoch, run } => succeed::succeed(invocation, epoch, run, now),
        Command::Fail { epoch, failure, run } => fail::fail(invocation, epoch, failure, run, now),
        Command::Stop { policy } => stop::stop(invocation, policy, now),
        Command::FinishStop { epoch } => stop::finish(invocation, epoch, now),
        Command::Lapse { epoch } => lapse::lapse(invocation, epoch, now),
    }
}

/// The fence: only the holder of the lease that is out may speak.
fn check_epoch(invocation: &Invocation, given: Epoch) -> Result<(), Rejected> {
    match invocation.lease() {
        None => Err(Rejected::NotHeld),
        Some(lease) if lease.epoch != given => Err(Rejected::StaleEpoch { given, current: lease.epoch }),
        Some(_) => Ok(()),
    }
}

/// Moves to a state that is not final and notes it in the timeline.
fn become_state(invocation: &Invocation, state: State, at: Timestamp, detail: &str) -> Transition {
    let mut next = invocation.clone();
    next.state = state;
    next.note(at, detail);
    Transition { next, delivery: None }
}

/// Ends the invocation; the only place that makes a [`Settlement`].
fn settle(mut next: Invocation, outcome: Outcome, run: Run, at: Timestamp) -> Transition {
    let delivery = delivery(&next, &outcome, next.policy.as_ref());
    if delivery.is_some() {
        next.destination = DestinationStatus::Pending;
    }
    let detail = outcome.error_message().to_owned();
    let instance = run.instance.or_else(|| next.instance().cloned());
    next.state = State::Settled(Settlement { outcome, at, duration: run.duration, instance });
    next.note(at, &detail);
    Transition { next, delivery }
}

#[cfg(test)]
mod tests;
