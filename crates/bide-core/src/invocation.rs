//! What is known about one asynchronous invocation, except its payload and result.
//!
//! Owns the record and what can be read off it. Never changes it: [`crate::step`] does.

use std::time::Duration;

use bide_types::{
    FunctionId, InstanceId, InvocationId, Line, Qualifier, RequestId, TaskId, Timestamp, TraceParent,
};

use crate::policy::Policy;
use crate::settlement::{Outcome, Settlement};

/// One asynchronous invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    pub id: InvocationId,
    pub function: FunctionId,
    /// What the caller addressed; resolved anew whenever the invocation is dequeued.
    pub qualifier: Qualifier,
    pub request_id: RequestId,
    pub kind: CallKind,
    /// The trace that the caller is in.
    pub parent: Option<TraceParent>,
    pub mode: Mode,
    pub accepted_at: Timestamp,
    /// The caller's delay, counted from acceptance: no attempt starts before.
    pub not_before: Timestamp,
    /// How many destinations led here, one after the other; bounds cycles.
    pub hops: u8,
    /// The last epoch granted. Each lease has its own, so a result of an older lease is recognised.
    pub epoch: Epoch,
    /// Attempts whose code was started.
    pub runs: u32,
    /// Retries after function errors so far; what the function sees as its retry count.
    pub retries: u32,
    /// Refused or interrupted attempts since the last counted one.
    pub refusals: Option<Refusals>,
    /// As read at the last dequeue; `None` before the first.
    pub policy: Option<Policy>,
    pub state: State,
    pub destination: DestinationStatus,
}

/// What the payload is, and so how the function is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CallKind {
    /// An event, byte for byte.
    #[default]
    Event,
    /// An HTTP call with its body, in a form that only the engine knows.
    Http,
}

/// Whether a record with a timeline is kept (FC "Asynchronous tasks").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Forgotten once settled and delivered.
    Plain,
    /// Kept for the retention, found by its id, with its timeline.
    Task { id: TaskId, timeline: Vec<Event> },
}

/// One line of a task's timeline (FC "AsyncTaskEvent").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub status: Status,
    pub at: Timestamp,
    /// Empty, or the name of the error.
    pub detail: String,
}

/// Numbers the leases of one invocation, in the order in which they were granted; 0 means none was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

impl Epoch {
    /// Epochs of one holder: the lower half counts, the upper half is the holder's number.
    const COUNTER_BITS: u32 = 32;

    /// The epoch of the next lease, granted to `holder`. Greater than any that an earlier holder was granted, stored or
    /// not, since holders are numbered in the order of their starts.
    #[must_use]
    pub(crate) fn next(self, holder: LeaseHolder) -> Self {
        Self((self.0 + 1).max(holder.0 << Self::COUNTER_BITS))
    }
}

/// The life of one server process; a new start is a new holder, so what a dead process held has lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseHolder(pub u64);

/// The right to run one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub epoch: Epoch,
    pub holder: LeaseHolder,
    pub expires_at: Timestamp,
}

/// An unbroken chain of attempts that the platform refused or lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusals {
    pub since: Timestamp,
    pub count: u32,
}

/// Where an invocation stands; each state has only its own data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Stored, waits for `not_before` and for capacity.
    Enqueued,
    /// Taken from the queue, an instance is being found or started.
    Dequeued {
        lease: Lease,
    },
    /// Taken from the queue and refused for want of capacity or by a fault of the platform; tried again at `due`.
    Backoff {
        due: Timestamp,
    },
    /// An instance executes the code.
    Running {
        lease: Lease,
        instance: InstanceId,
        since: Timestamp,
    },
    /// The function failed; the next attempt is due.
    Retrying {
        due: Timestamp,
    },
    /// A stop was asked while a lease was out; the instance is being ended.
    Stopping {
        lease: Lease,
        instance: Option<InstanceId>,
        since: Timestamp,
    },
    Settled(Settlement),
}

/// The states that callers see (FC "ListAsyncTasks").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Enqueued,
    Dequeued,
    Running,
    Retrying,
    Stopping,
    Succeeded,
    Failed,
    Stopped,
    Expired,
    Invalid,
}

/// What became of the settled invocation's destination record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DestinationStatus {
    /// Not settled yet, or no destination was configured.
    #[default]
    None,
    Pending,
    Delivered,
    /// Given up, and the record is no longer kept.
    Failed,
    /// Given up after the bounded retries; the record is in the list of dead letters.
    DeadLettered,
}

impl DestinationStatus {
    /// Whether a record is kept that is made of the invocation.
    pub const fn has_record(self) -> bool {
        matches!(self, Self::Pending | Self::DeadLettered)
    }
}

impl Status {
    pub const ALL: [Self; 10] = [
        Self::Enqueued,
        Self::Dequeued,
        Self::Running,
        Self::Retrying,
        Self::Stopping,
        Self::Succeeded,
        Self::Failed,
        Self::Stopped,
        Self::Expired,
        Self::Invalid,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enqueued => "Enqueued",
            Self::Dequeued => "Dequeued",
            Self::Running => "Running",
            Self::Retrying => "Retrying",
            Self::Stopping => "Stopping",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Stopped => "Stopped",
            Self::Expired => "Expired",
            Self::Invalid => "Invalid",
        }
    }

    /// The status of that exact name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped | Self::Expired | Self::Invalid)
    }
}

/// A timeline holds at most this many events. Counted retries need at most 21, refusals add none; beyond the bound (a
/// run interrupted again and again) the last event is replaced, so the final one is always there.
pub const TIMELINE_EVENTS_MAX: usize = 64;

impl Invocation {
    /// Where it waits, whenever it waits.
    pub fn line(&self) -> Line {
        Line::new(self.function, self.qualifier.clone())
    }

    pub fn status(&self) -> Status {
        match &self.state {
            State::Enqueued => Status::Enqueued,
            State::Dequeued { .. } | State::Backoff { .. } => Status::Dequeued,
            State::Running { .. } => Status::Running,
            State::Retrying { .. } => Status::Retrying,
            State::Stopping { .. } => Status::Stopping,
            State::Settled(settlement) => match settlement.outcome {
                Outcome::Succeeded => Status::Succeeded,
                Outcome::Failed { .. } => Status::Failed,
                Outcome::Stopped => Status::Stopped,
                Outcome::Expired => Status::Expired,
                Outcome::Invalid { .. } => Status::Invalid,
            },
        }
    }

    /// When it may be dequeued; `None` unless it waits in the queue.
    pub fn due(&self) -> Option<Timestamp> {
        match self.state {
            State::Enqueued => Some(self.not_before),
            State::Backoff { due } | State::Retrying { due } => Some(due),
            State::Dequeued { .. } | State::Running { .. } | State::Stopping { .. } | State::Settled(_) => {
                None
            }
        }
    }

    pub fn lease(&self) -> Option<&Lease> {
        match &self.state {
            State::Dequeued { lease } | State::Running { lease, .. } | State::Stopping { lease, .. } => {
                Some(lease)
            }
            State::Enqueued | State::Backoff { .. } | State::Retrying { .. } | State::Settled(_) => None,
        }
    }

    /// The instance that executes the code now, as far as known.
    pub fn instance(&self) -> Option<&InstanceId> {
        match &self.state {
            State::Running { instance, .. } => Some(instance),
            State::Stopping { instance, .. } => instance.as_ref(),
            State::Enqueued
            | State::Dequeued { .. }
            | State::Backoff { .. }
            | State::Retrying { .. }
            | State::Settled(_) => None,
        }
    }

    pub fn settlement(&self) -> Option<&Settlement> {
        match &self.state {
            State::Settled(settlement) => Some(settlement),
            _ => None,
        }
    }

    pub fn task_id(&self) -> Option<&TaskId> {
        match &self.mode {
            Mode::Plain => None,
            Mode::Task { id, .. } => Some(id),
        }
    }

    pub fn is_deferred(&self) -> bool {
        self.not_before > self.accepted_at
    }

    /// Whether it has waited longer than `age_max`. Age runs from acceptance (FC "Retry policies").
    pub fn is_older_than(&self, age_max: Duration, now: Timestamp) -> bool {
        now.since(self.accepted_at) > age_max
    }

    /// Whether the record can go: it is settled, nobody may ask for it, and no destination record needs it.
    pub fn is_forgettable(&self) -> bool {
        self.mode == Mode::Plain && self.settlement().is_some() && !self.destination.has_record()
    }

    /// Adds the present status to a task's timeline.
    pub(crate) fn note(&mut self, at: Timestamp, detail: &str) {
        let status = self.status();
        if let Mode::Task { timeline, .. } = &mut self.mode {
            if timeline.len() >= TIMELINE_EVENTS_MAX {
                timeline.pop();
            }
            timeline.push(Event { status, at, detail: detail.to_owned() });
        }
    }
}
