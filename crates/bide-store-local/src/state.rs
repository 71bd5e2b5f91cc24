//! What the writer knows: the group being written, the heads in memory, the cursors.
//!
//! Owns the [`Reader`] that batches are planned over. It runs ahead of the disk within a group; if the flush fails the
//! store is faulted and this state is never used again, so nothing is ever rolled back. A crash loses only what
//! `recover` builds again from disk.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{Excluded, Included, Unbounded};

use bide_core::{Invocation, Ledger};
use bide_store::planner::{QueuePosition, Reader};
use bide_store::{ControlKey, ControlObject, LeaseRef, StoreError};
use bide_types::{FunctionId, InvocationId, Line, TaskId, Timestamp};
use bytes::Bytes;
use fjall::{UserKey, UserValue};

use crate::due_head::DueHeads;
use crate::head::{Head, HeadLimits, START};
use crate::keys::codec::Undecodable;
use crate::keys::{
    Space, controls, dead_letters, invocations, ledgers, outbox, payloads, queue, settled, task_ids,
};
use crate::tables::Tables;
use crate::txn::Txn;

pub(crate) struct State {
    pub(crate) txn: Txn,
    pub(crate) heads: DueHeads,
    pub(crate) outbox: Head,
    pub(crate) limits: HeadLimits,
    /// How many destination records are given up.
    pub(crate) dead_letters: usize,
    /// No entry of `settled` lies before this.
    pub(crate) settled_from: QueuePosition,
    pub(crate) last_id: InvocationId,
    pub(crate) id_lead: u64,
    pub(crate) news: News,
}

/// What a group changed of what readers see outside of the keyspaces.
#[derive(Default)]
pub(crate) struct News {
    /// Lines that changed.
    pub(crate) lines: BTreeSet<Line>,
    /// Leases granted (`Some`) and ended.
    pub(crate) leases: BTreeMap<InvocationId, Option<LeaseRef>>,
}

impl State {
    /// The state of an empty store; `recover` fills it.
    pub(crate) fn new(tables: Tables, limits: HeadLimits) -> Self {
        Self {
            txn: Txn::new(tables),
            heads: DueHeads::new(limits),
            outbox: Head::unread(),
            limits,
            dead_letters: 0,
            settled_from: START,
            last_id: InvocationId::default(),
            id_lead: 0,
            news: News::default(),
        }
    }

    /// When the first entry of a line is due.
    pub(crate) fn first_due(&mut self, line: &Line) -> Result<Option<Timestamp>, StoreError> {
        let txn = &self.txn;
        let first = self.heads.settle(line, |after, max| queue_after(txn, line, after, max))?;
        Ok(first.map(|(due, _)| due))
    }

    /// The line after `after` that has an entry in `queue`, in the order of its keys: one seek.
    pub(crate) fn next_line(&self, after: Option<&Line>) -> Result<Option<Line>, StoreError> {
        let last = after.map(queue::last_key);
        let from = last.as_ref().map_or(Unbounded, |last| Excluded(&last[..]));
        let keys = self.txn.keys(Space::Queue, from, Unbounded, 1)?;
        let line = |key: &UserKey| queue::parse_key(key).map_err(|error| error.at(Space::Queue, key));
        keys.first().map(|key| Ok(line(key)?.0)).transpose()
    }

    /// The first entry of the outbox.
    pub(crate) fn first_delivery(&mut self) -> Result<Option<QueuePosition>, StoreError> {
        let txn = &self.txn;
        self.outbox.settle(self.limits, &mut |after, max| outbox_after(txn, after, max))
    }

    /// Reads and decodes one value, as this group sees it.
    pub(crate) fn decoded<T>(
        &self,
        space: Space,
        key: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, Undecodable>,
    ) -> Result<Option<T>, StoreError> {
        let value: Option<UserValue> = self.txn.get(space, key)?;
        value.map(|value| decode(&value).map_err(|error| error.at(space, key))).transpose()
    }
}

fn queue_after(
    txn: &Txn,
    line: &Line,
    after: QueuePosition,
    max: usize,
) -> Result<Vec<QueuePosition>, StoreError> {
    let (after, end) = (queue::key(line, after), queue::last_key(line));
    let keys = txn.keys(Space::Queue, Excluded(&after), Included(&end), max)?;
    positions(Space::Queue, keys, |key| queue::parse_key(key).map(|(_, position)| position))
}

fn outbox_after(txn: &Txn, after: QueuePosition, max: usize) -> Result<Vec<QueuePosition>, StoreError> {
    let keys = txn.keys(Space::Outbox, Excluded(&outbox::key(after)), Unbounded, max)?;
    positions(Space::Outbox, keys, outbox::parse_key)
}

fn positions(
    space: Space,
    keys: Vec<UserKey>,
    parse: impl Fn(&[u8]) -> Result<QueuePosition, Undecodable>,
) -> Result<Vec<QueuePosition>, StoreError> {
    keys.iter().map(|key| parse(key).map_err(|error| error.at(space, key))).collect()
}

impl Reader for State {
    fn invocation(&mut self, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
        self.decoded(Space::Invocations, &invocations::key(id), |value| invocations::decode(id, value))
    }

    fn payload(&mut self, id: InvocationId) -> Result<Bytes, StoreError> {
        let key = payloads::key(id);
        self.decoded(Space::Payloads, &key, payloads::decode)?.ok_or_else(|| {
            Undecodable::new("the event of an invocation is missing").at(Space::Payloads, &key)
        })
    }

    fn find_task(&mut self, function: FunctionId, task: &TaskId) -> Result<Option<InvocationId>, StoreError> {
        self.decoded(Space::TaskIds, &task_ids::key(function, task), task_ids::decode)
    }

    fn head(
        &mut self,
        line: &Line,
        after: Option<QueuePosition>,
        max: usize,
    ) -> Result<Vec<QueuePosition>, StoreError> {
        let txn = &self.txn;
        self.heads.read(line, after, max, |after, max| queue_after(txn, line, after, max))
    }

    fn ledger(&mut self, function: FunctionId) -> Result<Ledger, StoreError> {
        Ok(self.decoded(Space::Ledgers, &ledgers::key(function), ledgers::decode)?.unwrap_or_default())
    }

    fn control(&mut self, key: &ControlKey) -> Result<Option<ControlObject>, StoreError> {
        self.decoded(Space::Controls, controls::key(key), controls::decode)
    }

    fn dead_letters_before(
        &mut self,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<InvocationId>, StoreError> {
        let end = dead_letters::key((before, InvocationId::new(0)));
        let keys = self.txn.keys(Space::DeadLetters, Unbounded, Excluded(&end), max)?;
        let found = positions(Space::DeadLetters, keys, dead_letters::parse_key)?;
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    fn settled_before(&mut self, before: Timestamp, max: usize) -> Result<Vec<InvocationId>, StoreError> {
        let edge = (before, InvocationId::new(0));
        if self.settled_from >= edge || max == 0 {
            return Ok(Vec::new());
        }
        let (from, end) = (settled::key(self.settled_from), settled::key(edge));
        let keys = self.txn.keys(Space::Settled, Included(&from), Excluded(&end), max)?;
        let found = positions(Space::Settled, keys, settled::parse_key)?;
        self.settled_from = found.first().copied().unwrap_or(edge);
        Ok(found.into_iter().map(|(_, id)| id).collect())
    }

    fn last_id(&self) -> InvocationId {
        self.last_id
    }
}
