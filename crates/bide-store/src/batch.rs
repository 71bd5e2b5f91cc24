//! What is written: one batch holds what all waiting callers want, and its reply answers each in turn.
//!
//! A batch is atomic: after a crash it is there whole or not at all. Within it the order is: control changes,
//! submissions, transitions, stops, deliveries, dead letters, claims, purges; each list in its own order. What goes with a
//! control change is submitted where the change stands.

use std::fmt;
use std::sync::Arc;

use bide_core::{Command, Delivery, Enqueue, Invocation, LeaseHolder, PolicyTable, Rejected, Status};
use bide_types::{FunctionId, InvocationId, Line, TaskId, Timestamp};
use bytes::Bytes;

use crate::attempt_log::LogText;
use crate::control::{ControlChange, ControlConflict};

/// Everything that is written in one go, at one moment.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The time at which the batch is applied: acceptance time of its submissions, `now` of its transitions.
    pub now: Timestamp,
    pub controls: Vec<ControlChange>,
    pub submissions: Vec<Submission>,
    pub transitions: Vec<Transition>,
    pub stops: Vec<Stop>,
    pub deliveries: Vec<SettleDelivery>,
    pub dead_letters: Vec<DeadLetterChange>,
    pub claims: Vec<Claim>,
    pub purges: Vec<Purge>,
    /// Hears of the claims early; see [`ClaimListener`].
    pub on_claims: Option<ClaimListener>,
}

/// Told what the claims of a batch come to once that is decided, at most once and before the reply.
///
/// A store may tell it before the claims are durable, under two conditions: whatever is committed later is durable only
/// together with them, and an epoch whose grant a crash undid is never granted again (see `bide_core::Epoch`). Then an
/// attempt can begin while its claim rides along with the next flush.
#[derive(Clone)]
pub struct ClaimListener(Arc<Listen>);

type Listen = dyn Fn(&[ClaimReply]) + Send + Sync;

impl ClaimListener {
    pub fn new(listener: impl Fn(&[ClaimReply]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(listener))
    }

    pub fn tell(&self, claims: &[ClaimReply]) {
        (self.0)(claims);
    }
}

impl fmt::Debug for ClaimListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimListener")
    }
}

/// The answers, each list parallel to its list in the [`Batch`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchReply {
    /// The revision after the last write of each change.
    pub controls: Vec<Result<u64, ControlConflict>>,
    pub submissions: Vec<SubmitReply>,
    pub transitions: Vec<TransitionReply>,
    pub stops: Vec<StopReply>,
    /// How many dead letters each change concerned.
    pub dead_letters: Vec<usize>,
    pub claims: Vec<ClaimReply>,
    /// How many records each purge removed.
    pub purges: Vec<usize>,
}

/// A new asynchronous invocation.
#[derive(Clone, Debug)]
pub struct Submission {
    pub enqueue: Enqueue,
    pub payload: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmitReply {
    Accepted {
        id: InvocationId,
        due: Timestamp,
    },
    /// The function has a task of this id already.
    Duplicate,
}

/// A command to one invocation, by its internal id.
#[derive(Clone, Debug)]
pub struct Transition {
    pub invocation: InvocationId,
    pub command: Command,
    /// What the function returned or its error JSON; kept for the task record and the destination.
    pub result: Option<Bytes>,
    /// What the function wrote in the attempt that ends, if that is known; kept with a task.
    pub log: Option<LogText>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransitionReply {
    Applied {
        line: Line,
        status: Status,
        /// Set when the invocation waits in the queue again.
        due: Option<Timestamp>,
        /// Set when a destination record is now waiting to be delivered.
        delivery: bool,
    },
    Rejected(Rejected),
    /// No such record (any more).
    NotFound,
}

/// A caller's wish to end a task.
#[derive(Clone, Debug)]
pub struct Stop {
    pub function: FunctionId,
    pub task: TaskId,
    /// To look up the policy that names the failure destination.
    pub policies: Arc<PolicyTable>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReply {
    /// It waited; it will never run. `delivery` as in [`TransitionReply::Applied`].
    Stopped {
        delivery: bool,
    },
    /// A lease is out: whoever holds it must end the attempt.
    Stopping {
        invocation: InvocationId,
    },
    /// It was stopping or settled already; nothing changed.
    Unchanged {
        status: Status,
    },
    NotFound,
}

/// A wish for due work of one line.
#[derive(Clone, Debug)]
pub struct Claim {
    pub line: Line,
    /// Most invocations to hand out; 0 only drops what is too old, from the front of the line.
    pub max: usize,
    pub policies: Arc<PolicyTable>,
    pub holder: LeaseHolder,
    pub lease_expires_at: Timestamp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimReply {
    pub claimed: Vec<Claimed>,
    /// Invocations that were settled instead of handed out, because they were too old or invalid.
    pub settled: usize,
    /// Whether any of those left a destination record.
    pub delivery: bool,
    /// When the next invocation of this line is due, as far as known before this batch.
    pub next_due: Option<Timestamp>,
}

/// Work handed out under a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub invocation: Invocation,
    pub payload: Bytes,
}

/// A destination record that waits to be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingDelivery {
    pub delivery: Delivery,
    /// Attempts to deliver so far.
    pub attempts: u32,
    pub due: Timestamp,
    /// The original event.
    pub payload: Bytes,
    /// What the function returned, or its error JSON; empty if nothing ran.
    pub result: Bytes,
}

/// What came of an attempt to deliver.
#[derive(Clone, Debug)]
pub struct SettleDelivery {
    pub invocation: InvocationId,
    pub outcome: DeliveryOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    Delivered,
    /// It failed and is tried again then.
    RetryAt(Timestamp),
    /// It was not tried, so this does not count as an attempt.
    PutOff(Timestamp),
    /// The record becomes a dead letter.
    GaveUp {
        reason: String,
    },
}

/// A destination record that was given up, and is kept until it is delivered again or dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    pub delivery: Delivery,
    /// Attempts to deliver before it was given up.
    pub attempts: u32,
    pub since: Timestamp,
    /// Why the last attempt failed.
    pub reason: String,
}

/// What happens to dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterChange {
    /// It is due for delivery again, as if it had never been tried.
    Redrive(InvocationId),
    Drop(InvocationId),
    /// Drops those that were given up before that time, the oldest first.
    DropBefore {
        before: Timestamp,
        max: usize,
    },
}

/// Removal of settled tasks that are older than the retention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purge {
    pub settled_before: Timestamp,
    pub max: usize,
}

impl Batch {
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of operations.
    pub fn len(&self) -> usize {
        self.controls.len()
            + self.submissions.len()
            + self.transitions.len()
            + self.stops.len()
            + self.deliveries.len()
            + self.dead_letters.len()
            + self.claims.len()
            + self.purges.len()
    }
}
