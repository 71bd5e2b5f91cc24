//! What is read: tasks, one or a page of them.

use bide_core::{Invocation, Status};
use bide_types::{FunctionId, InvocationId, Qualifier, Timestamp};
use bytes::Bytes;

use crate::attempt_log::AttemptLog;

/// Which tasks of one function (FC "ListStatefulAsyncInvocations").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskQuery {
    pub function: FunctionId,
    pub qualifier: Option<Qualifier>,
    pub status: Option<Status>,
    pub id_prefix: Option<String>,
    /// Accepted at or after this moment.
    pub accepted_from: Option<Timestamp>,
    /// Accepted at or before this moment.
    pub accepted_to: Option<Timestamp>,
    pub order: SortOrder,
    /// Most tasks on the page, 1 to 100.
    pub limit: usize,
    /// Continue after this invocation, in the given order.
    pub after: Option<InvocationId>,
    /// Whether the events are wanted as well.
    pub payloads: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortOrder {
    OldestFirst,
    NewestFirst,
}

/// One page. `next` is where the next page continues; a page may be short, even empty, and still have a next one,
/// since the work for one page is bounded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskPage {
    pub tasks: Vec<TaskView>,
    pub next: Option<InvocationId>,
}

/// A task with its payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskView {
    pub invocation: Invocation,
    /// `None` unless asked for.
    pub payload: Option<Bytes>,
    /// What the function returned, if it did and the query was for a single task.
    pub result: Option<Bytes>,
}

/// What the attempts of a task logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskLogs {
    pub invocation: Invocation,
    /// Those that are kept, in the order of attempts. An attempt that ended and has none wrote nothing, or was one of many.
    pub logs: Vec<AttemptLog>,
}

impl TaskQuery {
    /// Whether the record passes every filter (the position of the page apart).
    pub fn matches(&self, invocation: &Invocation) -> bool {
        invocation.function == self.function
            && invocation.task_id().is_some_and(|id| {
                self.id_prefix.as_ref().is_none_or(|prefix| id.as_str().starts_with(prefix.as_str()))
            })
            && self.status.is_none_or(|status| invocation.status() == status)
            && self.qualifier.as_ref().is_none_or(|qualifier| invocation.qualifier == *qualifier)
            && self.accepted_from.is_none_or(|from| invocation.accepted_at >= from)
            && self.accepted_to.is_none_or(|to| invocation.accepted_at <= to)
    }
}
