//! Which index entries a record implies.
//!
//! Owns that rule, once: `apply` writes the difference between the entries of the old and the new record, and `verify`
//! compares the entries of every record with what is stored. Never writes.

use bide_core::{Invocation, Status};
use bide_store::LeaseRef;
use bide_store::planner::QueuePosition;
use bide_types::{FunctionId, InvocationId, Line, TaskId};
use fjall::{UserKey, UserValue};

use crate::keys::{Space, leases, queue, settled, task_ids, task_status, tasks};

/// One index entry of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Queue(Line, QueuePosition),
    Lease(LeaseRef),
    TaskId(FunctionId, TaskId, InvocationId),
    Task(FunctionId, InvocationId),
    TaskStatus(FunctionId, Status, InvocationId),
    Settled(QueuePosition),
}

impl Entry {
    pub(crate) fn space(&self) -> Space {
        match self {
            Self::Queue(..) => Space::Queue,
            Self::Lease(_) => Space::Leases,
            Self::TaskId(..) => Space::TaskIds,
            Self::Task(..) => Space::Tasks,
            Self::TaskStatus(..) => Space::TaskStatus,
            Self::Settled(_) => Space::Settled,
        }
    }

    pub(crate) fn key(&self) -> UserKey {
        match self {
            Self::Queue(line, position) => queue::key(line, *position),
            Self::Lease(lease) => leases::key(lease.invocation).into(),
            Self::TaskId(function, task, _) => task_ids::key(*function, task),
            Self::Task(function, id) => tasks::key(*function, *id).into(),
            Self::TaskStatus(function, status, id) => task_status::key(*function, *status, *id).into(),
            Self::Settled(position) => settled::key(*position).into(),
        }
    }

    pub(crate) fn value(&self) -> UserValue {
        match self {
            Self::Lease(lease) => leases::encode(lease),
            Self::TaskId(_, _, id) => task_ids::encode(*id),
            Self::Queue(..) | Self::Task(..) | Self::TaskStatus(..) | Self::Settled(_) => UserValue::from([]),
        }
    }
}

/// Every index entry of `invocation`, at most one per keyspace.
pub(crate) fn entries(invocation: &Invocation) -> Vec<Entry> {
    let Invocation { id, function, .. } = *invocation;
    let mut entries = Vec::with_capacity(4);
    if let Some(due) = invocation.due() {
        entries.push(Entry::Queue(invocation.line(), (due, id)));
    }
    if let Some(lease) = invocation.lease() {
        entries.push(Entry::Lease(LeaseRef {
            invocation: id,
            epoch: lease.epoch,
            holder: lease.holder,
            expires_at: lease.expires_at,
        }));
    }
    if let Some(task) = invocation.task_id() {
        entries.push(Entry::TaskId(function, task.clone(), id));
        entries.push(Entry::Task(function, id));
        entries.push(Entry::TaskStatus(function, invocation.status(), id));
        if let Some(settlement) = invocation.settlement()
            && !invocation.destination.has_record()
        {
            entries.push(Entry::Settled((settlement.at, id)));
        }
    }
    entries
}
