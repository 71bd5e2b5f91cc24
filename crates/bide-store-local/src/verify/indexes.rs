//! From indexes to records: nothing is there that no record calls for.

use bide_core::DestinationStatus;
use bide_store::attempt_log::slot;
use bide_types::InvocationId;

use super::Check;
use crate::index::entries;
use crate::keys::codec::Undecodable;
use crate::keys::deliveries::Place;
use crate::keys::{
    Space, attempt_logs, deliveries, invocations, leases, outbox, payloads, queue, results, settled,
    task_ids, task_status, tasks,
};

const INDEXES: [Space; 6] =
    [Space::Queue, Space::Leases, Space::TaskIds, Space::Tasks, Space::TaskStatus, Space::Settled];

impl Check<'_> {
    pub(super) fn indexes(&mut self) {
        for space in INDEXES {
            self.walk(space, |check, key, value| {
                let id = indexed(space, key, value)?;
                let called_for = check.record(id).is_some_and(|invocation| {
                    entries(&invocation).iter().any(|entry| entry.space() == space && *entry.key() == *key)
                });
                let problem = || Undecodable::new(format!("{id} does not call for it"));
                called_for.then_some(()).ok_or_else(problem)
            });
        }
    }

    /// Events, results and logs belong to records: results to settled ones, logs to attempts of tasks.
    pub(super) fn bodies(&mut self) {
        self.walk(Space::Payloads, |check, key, value| {
            let id = payloads::parse_key(key)?;
            payloads::decode(value)?;
            match check.get(Space::Invocations, &invocations::key(id)) {
                Some(_) => Ok(()),
                None => Err(Undecodable::new(format!("the event of {id}, which is not stored"))),
            }
        });
        self.walk(Space::Results, |check, key, value| {
            let id = results::parse_key(key)?;
            results::decode(value)?;
            match check.record(id).is_some_and(|invocation| invocation.settlement().is_some()) {
                true => Ok(()),
                false => Err(Undecodable::new(format!("the result of {id}, which is not stored as settled"))),
            }
        });
        self.walk(Space::AttemptLogs, |check, key, value| {
            let (id, place) = attempt_logs::parse_key(key)?;
            let attempt = attempt_logs::decode(value)?.attempt;
            if slot(attempt) != place {
                return Err(Undecodable::new(format!("the log of attempt {attempt} is not kept here")));
            }
            let task = check.record(id).filter(|invocation| invocation.task_id().is_some());
            match task.is_some_and(|invocation| (1..=invocation.runs).contains(&attempt)) {
                true => Ok(()),
                false => Err(Undecodable::new(format!(
                    "the log of attempt {attempt} of {id}, which is not stored"
                ))),
            }
        });
    }

    pub(super) fn deliveries(&mut self) {
        self.walk(Space::Deliveries, |check, key, value| {
            let id = deliveries::parse_key(key)?;
            let stored = deliveries::decode(id, value)?;
            let (space, position) = (stored.place.space(), outbox::key(stored.position()));
            if check.get(space, &position).is_none() {
                check.problem(space, &position, format!("it is missing; the delivery of {id} calls for it"));
            }
            let status = match stored.place {
                Place::Outbox { .. } => DestinationStatus::Pending,
                Place::Dead { .. } => DestinationStatus::DeadLettered,
            };
            match check.record(id).is_some_and(|invocation| invocation.destination == status) {
                true => Ok(()),
                false => Err(Undecodable::new(format!("{id} does not say that it is {status:?}"))),
            }
        });
        for space in [Space::Outbox, Space::DeadLetters] {
            self.walk(space, |check, key, _| {
                let (at, id) = outbox::parse_key(key)?;
                let stored = check.get(Space::Deliveries, &deliveries::key(id));
                let stored = stored.and_then(|value| deliveries::decode(id, &value).ok());
                match stored.is_some_and(|stored| stored.place.space() == space && stored.place.at() == at) {
                    true => Ok(()),
                    false => Err(Undecodable::new(format!("the delivery of {id} does not call for it"))),
                }
            });
        }
    }
}

/// The record that an index entry points at.
fn indexed(space: Space, key: &[u8], value: &[u8]) -> Result<InvocationId, Undecodable> {
    match space {
        Space::Queue => queue::parse_key(key).map(|(_, (_, id))| id),
        Space::Leases => {
            let id = leases::parse_key(key)?;
            leases::decode(id, value).map(|lease| lease.invocation)
        }
        Space::TaskIds => {
            task_ids::parse_key(key)?;
            task_ids::decode(value)
        }
        Space::Tasks => tasks::parse_key(key).map(|(_, id)| id),
        Space::TaskStatus => task_status::parse_key(key).map(|(_, _, id)| id),
        _ => settled::parse_key(key).map(|(_, id)| id),
    }
}
