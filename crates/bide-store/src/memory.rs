//! The model: a store in memory that is as simple as can be.
//!
//! Owns the reference behaviour that the conformance suite compares others with, and serves the engine's tests.
//! Nothing survives the process; a handle that was opened anew shares the data, so a test can "restart".

mod deliveries;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use bide_core::{Invocation, LeaseHolder, Ledger};
use bide_types::{FunctionId, InvocationId, Line, TaskId, Timestamp};
use bytes::Bytes;

use crate::attempt_log::AttemptLog;
use crate::batch::{Batch, BatchReply, DeadLetter, PendingDelivery};
use crate::control::{ControlKey, ControlObject};
use crate::planner::{Change, Outbox, QueuePosition, Reader, plan};
use crate::query::{SortOrder, TaskLogs, TaskPage, TaskQuery, TaskView};
use crate::store::{BoxFuture, DueDeliveries, Health, LeaseRef, OutboxPosition, Stats, Store, StoreError};
use deliveries::Kept;

/// See the module. `Default` is empty; clones are one and the same open store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    data: Arc<Mutex<Data>>,
    closed: Arc<AtomicBool>,
}

#[derive(Default)]
struct Data {
    records: BTreeMap<InvocationId, Record>,
    deliveries: BTreeMap<InvocationId, Kept>,
    ledgers: HashMap<FunctionId, Ledger>,
    controls: BTreeMap<ControlKey, ControlObject>,
    packages: HashMap<String, Bytes>,
    last_id: InvocationId,
    /// Commits until one fails; see [`MemoryStore::fail_after`].
    commits_left: Option<u64>,
    fault: Option<String>,
}

struct Record {
    invocation: Invocation,
    payload: Bytes,
    result: Option<Bytes>,
    /// By their slots.
    logs: BTreeMap<u32, AttemptLog>,
}

impl MemoryStore {
    /// Lets `commits` more commits succeed; the next one fails and the store stays faulted.
    pub fn fail_after(&self, commits: u64) {
        self.lock().commits_left = Some(commits);
    }

    /// What a crash and a new start leave: another store on the same data, without the fault.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let mut data = self.lock();
        data.commits_left = None;
        data.fault = None;
        Self { data: Arc::clone(&self.data), closed: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Data> {
        self.data.lock().expect("no one panics while holding the data")
    }

    fn data(&self) -> Result<MutexGuard<'_, Data>, StoreError> {
        if self.closed.load(Ordering::SeqCst) { Err(StoreError::Closed) } else { Ok(self.lock()) }
    }

    /// The data of a store that still takes writes.
    fn writable(&self) -> Result<MutexGuard<'_, Data>, StoreError> {
        let data = self.data()?;
        match &data.fault {
            Some(reason) => Err(StoreError::Faulted { reason: reason.clone() }),
            None => Ok(data),
        }
    }
}

impl Data {
    fn commit(&mut self, mut batch: Batch) -> Result<BatchReply, StoreError> {
        match &mut self.commits_left {
            Some(0) => {
                let reason = "a fault was asked for".to_owned();
                self.fault = Some(reason.clone());
                return Err(StoreError::Faulted { reason });
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let on_claims = batch.on_claims.take();
        let plan = plan(batch, self)?;
        if let Some(listener) = on_claims {
            listener.tell(&plan.reply.claims);
        }
        for change in plan.changes {
            self.apply(change);
        }
        self.ledgers.extend(plan.ledgers);
        for (key, object) in plan.controls {
            match object {
                Some(object) => self.controls.insert(key, object),
                None => self.controls.remove(&key),
            };
        }
        self.last_id = plan.last_id;
        Ok(plan.reply)
    }

    fn apply(&mut self, change: Change) {
        let Some(id) = change.before.as_ref().or(change.after.as_ref()).map(|invocation| invocation.id)
        else {
            return;
        };
        match change.outbox {
            Outbox::Keep => {}
            Outbox::Add(delivery) => {
                let at = delivery_due(change.after.as_ref());
                self.deliveries.insert(id, Kept { delivery, attempts: 0, at, dead: None });
            }
            Outbox::RetryAt(at) => self.put_off(id, at, 1),
            Outbox::PutOff(at) => self.put_off(id, at, 0),
            Outbox::Bury { since, reason } => {
                self.put_off(id, since, 1);
                self.kept(id).dead = Some(reason);
            }
            Outbox::Revive(at) => {
                self.put_off(id, at, 0);
                let kept = self.kept(id);
                (kept.attempts, kept.dead) = (0, None);
            }
            Outbox::Remove => {
                self.deliveries.remove(&id);
            }
        }
        let Some(after) = change.after else {
            self.records.remove(&id);
            return;
        };
        let old = self.records.remove(&id);
        let (old_payload, old_result, mut logs) =
            old.map_or_else(Default::default, |old| (Some(old.payload), old.result, old.logs));
        logs.extend(change.logs.into_iter().map(|log| (log.slot(), log)));
        let payload = change.payload.or(old_payload).unwrap_or_default();
        let record = Record { invocation: after, payload, result: change.result.or(old_result), logs };
        self.records.insert(id, record);
    }

    fn view(&self, record: &Record, with_result: bool) -> TaskView {
        TaskView {
            invocation: record.invocation.clone(),
            payload: Some(record.payload.clone()),
            result: record.result.clone().filter(|_| with_result),
        }
    }

    fn page(&self, query: &TaskQuery) -> TaskPage {
        let newest_first = query.order == SortOrder::NewestFirst;
        let beyond = |id: InvocationId| match query.after {
            None => true,
            Some(after) if newest_first => id < after,
            Some(after) => id > after,
        };
        let mut matching: Vec<&Record> = self
            .records
            .values()
            .filter(|record| beyond(record.invocation.id) && query.matches(&record.invocation))
            .collect();
        if newest_first {
            matching.reverse();
        }
        let more = matching.len() > query.limit;
        matching.truncate(query.limit);
        let next = matching.last().filter(|_| more).map(|record| record.invocation.id);
        let mut tasks: Vec<TaskView> = matching.into_iter().map(|record| self.view(record, false)).collect();
        if !query.payloads {
            tasks.iter_mut().for_each(|task| task.payload = None);
        }
        TaskPage { tasks, next }
    }
}

/// A new destination record is due at once.
fn delivery_due(settled: Option<&Invocation>) -> Timestamp {
    settled.and_then(Invocation::settlement).map(|settlement| settlement.at).unwrap_or_default()
}

impl Reader for Data {
    fn invocation(&mut self, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
        Ok(self.records.get(&id).map(|record| record.invocation.clone()))
    }

    fn payload(&mut self, id: InvocationId) -> Result<Bytes, StoreError> {
        Ok(self.records.get(&id).map(|record| record.payload.clone()).unwrap_or_default())
    }

    fn find_task(&mut self, function: FunctionId, task: &TaskId) -> Result<Option<InvocationId>, StoreError> {
        let found = self.records.values().find(|record| {
            record.invocation.function == function && record.invocation.task_id() == Some(task)
        });
        Ok(found.map(|record| record.invocation.id))
    }

    fn head(
        &mut self,
        line: &Line,
        after: Option<QueuePosition>,
        max: usize,
    ) -> Result<Vec<QueuePosition>, StoreError> {
        let queue: BTreeSet<QueuePosition> = self
            .records
            .values()
            .filter(|record| record.invocation.line() == *line)
            .filter_map(|record| Some((record.invocation.due()?, record.invocation.id)))
            .filter(|position| after.is_none_or(|after| *position > after))
            .collect();
        Ok(queue.into_iter().take(max).collect())
    }

    fn ledger(&mut self, function: FunctionId) -> Result<Ledger, StoreError> {
        Ok(self.ledgers.get(&function).copied().unwrap_or_default())
    }

    fn control(&mut self, key: &ControlKey) -> Result<Option<ControlObject>, StoreError> {
        Ok(self.controls.get(key).cloned())
    }

    fn dead_letters_before(
        &mut self,
        before: Timestamp,
        max: usize,
    ) -> Result<Vec<InvocationId>, StoreError> {
        let dead = self.positions(true).into_iter().take_while(|(since, _)| *since < before);
        Ok(dead.take(max).map(|(_, id)| id).collect())
    }

    fn settled_before(&mut self, before: Timestamp, max: usize) -> Result<Vec<InvocationId>, StoreError> {
        let mut settled: Vec<QueuePosition> = self
            .records
            .values()
            .filter(|record| !record.invocation.destination.has_record())
            .filter_map(|record| Some((record.invocation.settlement()?.at, record.invocation.id)))
            .filter(|(at, _)| *at < before)
            .collect();
        settled.sort_unstable();
        Ok(settled.into_iter().take(max).map(|(_, id)| id).collect())
    }

    fn last_id(&self) -> InvocationId {
        self.last_id
    }
}

impl Store for MemoryStore {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<BatchReply, StoreError>> {
        Box::pin(async move { self.writable()?.commit(batch) })
    }

    fn health(&self) -> Health {
        self.lock().fault.clone().map_or(Health::Ok, Health::Faulted)
    }

    /// Nothing is counted: there is no disk.
    fn stats(&self) -> Stats {
        Stats::default()
    }

    fn waiting(&self) -> BoxFuture<'_, Result<Vec<(Line, Timestamp)>, StoreError>> {
        Box::pin(async move {
            let mut first: BTreeMap<Line, Timestamp> = BTreeMap::new();
            for record in self.data()?.records.values() {
                if let Some(due) = record.invocation.due() {
                    let entry = first.entry(record.invocation.line()).or_insert(due);
                    *entry = due.min(*entry);
                }
            }
            Ok(first.into_iter().collect())
        })
    }

    fn lapsed_leases(
        &self,
        own: LeaseHolder,
        now: Timestamp,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<LeaseRef>, StoreError>> {
        Box::pin(async move {
            let data = self.data()?;
            let leases = data.records.values().filter_map(|record| {
                let lease = record.invocation.lease()?;
                Some(LeaseRef {
                    invocation: record.invocation.id,
                    epoch: lease.epoch,
                    holder: lease.holder,
                    expires_at: lease.expires_at,
                })
            });
            Ok(leases.filter(|lease| lease.holder != own || lease.expires_at <= now).take(max).collect())
        })
    }

    fn due_deliveries(&self, now: Timestamp, max: usize) -> BoxFuture<'_, Result<DueDeliveries, StoreError>> {
        Box::pin(async move { Ok(self.data()?.due_deliveries(now, max)) })
    }

    fn delivery(&self, id: InvocationId) -> BoxFuture<'_, Result<Option<PendingDelivery>, StoreError>> {
        Box::pin(async move { Ok(self.data()?.delivery(id)) })
    }

    fn dead_letters(
        &self,
        after: Option<OutboxPosition>,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(async move { Ok(self.data()?.dead_letters(after, max)) })
    }

    fn dead_letter(
        &self,
        id: InvocationId,
    ) -> BoxFuture<'_, Result<Option<(DeadLetter, PendingDelivery)>, StoreError>> {
        Box::pin(async move { Ok(self.data()?.dead_letter(id)) })
    }

    fn dead_letter_count(&self) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(async move { Ok(self.data()?.positions(true).len()) })
    }

    fn task(
        &self,
        function: FunctionId,
        task: TaskId,
    ) -> BoxFuture<'_, Result<Option<TaskView>, StoreError>> {
        Box::pin(async move {
            let mut data = self.data()?;
            let id = data.find_task(function, &task)?;
            Ok(id.and_then(|id| data.records.get(&id).map(|record| data.view(record, true))))
        })
    }

    fn task_logs(
        &self,
        function: FunctionId,
        task: TaskId,
    ) -> BoxFuture<'_, Result<Option<TaskLogs>, StoreError>> {
        Box::pin(async move {
            let mut data = self.data()?;
            let id = data.find_task(function, &task)?;
            Ok(id.and_then(|id| data.records.get(&id)).map(|record| {
                let mut logs: Vec<_> = record.logs.values().cloned().collect();
                logs.sort_unstable_by_key(|log| log.attempt);
                TaskLogs { invocation: record.invocation.clone(), logs }
            }))
        })
    }

    fn tasks(&self, query: TaskQuery) -> BoxFuture<'_, Result<TaskPage, StoreError>> {
        Box::pin(async move { Ok(self.data()?.page(&query)) })
    }

    fn ledger(&self, function: FunctionId) -> BoxFuture<'_, Result<Ledger, StoreError>> {
        Box::pin(async move { Reader::ledger(&mut *self.data()?, function) })
    }

    fn controls(&self) -> BoxFuture<'_, Result<Vec<(ControlKey, ControlObject)>, StoreError>> {
        Box::pin(async move {
            Ok(self.data()?.controls.iter().map(|(key, object)| (key.clone(), object.clone())).collect())
        })
    }

    fn put_package(&self, digest: String, zip: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.writable()?.packages.insert(digest, zip);
            Ok(())
        })
    }

    fn package(&self, digest: String) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(async move { Ok(self.data()?.packages.get(&digest).cloned()) })
    }

    fn retain_packages(&self, keep: Vec<String>) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(async move {
            let mut data = self.writable()?;
            let before = data.packages.len();
            data.packages.retain(|digest, _| keep.contains(digest));
            Ok(before - data.packages.len())
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            self.closed.store(true, Ordering::SeqCst);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests;
