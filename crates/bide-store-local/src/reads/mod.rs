//! What callers read: tasks, deliveries, ledgers, control objects.
//!
//! Owns reads outside of the writer. Each works on one snapshot, so it sees every group whole or not at all; the engine
//! shows a group only after its flush, so nothing is seen that a crash could take back. Never writes.

mod deliveries;
mod tasks;

use bide_core::{Invocation, Ledger};
use bide_store::attempt_log::slots;
use bide_store::{AttemptLog, ControlKey, ControlObject, StoreError, TaskLogs, TaskView};
use bide_types::{FunctionId, InvocationId, TaskId};
use bytes::Bytes;
use fjall::{Readable as _, Snapshot};

use crate::keys::codec::Undecodable;
use crate::keys::{Space, attempt_logs, controls, invocations, ledgers, payloads, results, task_ids};
use crate::tables::{Tables, read_error};

pub(crate) use deliveries::{dead_letter, dead_letters, delivery, due_deliveries};
pub(crate) use tasks::tasks;

/// One consistent look at the tables.
struct View<'a> {
    tables: &'a Tables,
    snapshot: Snapshot,
}

impl<'a> View<'a> {
    fn open(tables: &'a Tables) -> Self {
        Self { tables, snapshot: tables.database().snapshot() }
    }

    fn decoded<T>(
        &self,
        space: Space,
        key: &[u8],
        decode: impl FnOnce(&[u8]) -> Result<T, Undecodable>,
    ) -> Result<Option<T>, StoreError> {
        let value =
            self.snapshot.get(self.tables.space(space), key).map_err(|error| read_error(space, &error))?;
        value.map(|value| decode(&value).map_err(|error| error.at(space, key))).transpose()
    }

    fn invocation(&self, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
        self.decoded(Space::Invocations, &invocations::key(id), |value| invocations::decode(id, value))
    }

    /// The record that an index entry points at.
    fn indexed(&self, space: Space, key: &[u8], id: InvocationId) -> Result<Invocation, StoreError> {
        self.invocation(id)?
            .ok_or_else(|| Undecodable::new(format!("it points at {id}, which is not stored")).at(space, key))
    }

    fn payload(&self, id: InvocationId) -> Result<Bytes, StoreError> {
        let key = payloads::key(id);
        self.decoded(Space::Payloads, &key, payloads::decode)?.ok_or_else(|| {
            Undecodable::new("the event of an invocation is missing").at(Space::Payloads, &key)
        })
    }

    fn result(&self, id: InvocationId) -> Result<Option<Bytes>, StoreError> {
        self.decoded(Space::Results, &results::key(id), results::decode)
    }
}

pub(crate) fn task(
    tables: &Tables,
    function: FunctionId,
    task: &TaskId,
) -> Result<Option<TaskView>, StoreError> {
    let view = View::open(tables);
    let key = task_ids::key(function, task);
    let Some(id) = view.decoded(Space::TaskIds, &key, task_ids::decode)? else { return Ok(None) };
    let invocation = view.indexed(Space::TaskIds, &key, id)?;
    Ok(Some(TaskView { invocation, payload: Some(view.payload(id)?), result: view.result(id)? }))
}

/// The task of this id, with the logs of its attempts.
pub(crate) fn task_logs(
    tables: &Tables,
    function: FunctionId,
    task: &TaskId,
) -> Result<Option<TaskLogs>, StoreError> {
    let view = View::open(tables);
    let key = task_ids::key(function, task);
    let Some(id) = view.decoded(Space::TaskIds, &key, task_ids::decode)? else { return Ok(None) };
    let invocation = view.indexed(Space::TaskIds, &key, id)?;
    let log = |slot| view.decoded(Space::AttemptLogs, &attempt_logs::key(id, slot), attempt_logs::decode);
    let logs = (0..slots(invocation.runs)).filter_map(|slot| log(slot).transpose());
    let mut logs: Vec<AttemptLog> = logs.collect::<Result<_, _>>()?;
    logs.sort_unstable_by_key(|log| log.attempt);
    Ok(Some(TaskLogs { invocation, logs }))
}

pub(crate) fn ledger(tables: &Tables, function: FunctionId) -> Result<Ledger, StoreError> {
    let view = View::open(tables);
    Ok(view.decoded(Space::Ledgers, &ledgers::key(function), ledgers::decode)?.unwrap_or_default())
}

pub(crate) fn controls(tables: &Tables) -> Result<Vec<(ControlKey, ControlObject)>, StoreError> {
    let decode = |entry: Result<fjall::KvPair, StoreError>| {
        let (key, value) = entry?;
        let at = |error: Undecodable| error.at(Space::Controls, &key);
        Ok((controls::parse_key(&key).map_err(at)?, controls::decode(&value).map_err(at)?))
    };
    tables.scan(Space::Controls).map(decode).collect()
}
