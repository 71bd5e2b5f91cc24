//! Enqueue: an invocation is accepted.
//!
//! Owns the first record. After a crash it is either stored whole, and runs, or was never answered with 202.

use std::time::Duration;

use bide_types::{FunctionId, InvocationId, Line, Qualifier, RequestId, TaskId, Timestamp, TraceParent};

use crate::invocation::{CallKind, DestinationStatus, Epoch, Invocation, Mode, State};

/// What the caller asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enqueue {
    pub function: FunctionId,
    pub qualifier: Qualifier,
    pub request_id: RequestId,
    pub kind: CallKind,
    /// The trace that the caller is in.
    pub parent: Option<TraceParent>,
    /// Present in task mode.
    pub task: Option<TaskId>,
    pub delay: Duration,
    pub hops: u8,
}

impl Enqueue {
    /// Where it will wait.
    pub fn line(&self) -> Line {
        Line::new(self.function, self.qualifier.clone())
    }
}

/// The record of a newly accepted invocation. The delay counts from `now`, the moment of acceptance.
pub fn enqueue(request: Enqueue, id: InvocationId, now: Timestamp) -> Invocation {
    let mode = match request.task {
        None => Mode::Plain,
        Some(id) => Mode::Task { id, timeline: Vec::with_capacity(4) },
    };
    let mut invocation = Invocation {
        id,
        function: request.function,
        qualifier: request.qualifier,
        request_id: request.request_id,
        kind: request.kind,
        parent: request.parent,
        mode,
        accepted_at: now,
        not_before: now.plus(request.delay),
        hops: request.hops,
        epoch: Epoch::default(),
        runs: 0,
        retries: 0,
        refusals: None,
        policy: None,
        state: State::Enqueued,
        destination: DestinationStatus::None,
    };
    invocation.note(now, "");
    invocation
}

#[cfg(test)]
mod tests;
