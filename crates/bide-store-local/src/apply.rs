//! From a plan to keys: what each change writes and removes.
//!
//! Owns the translation, and keeps the heads, cursors and [`News`](crate::state::News) in step with it. It writes into
//! the group only; a crash before the group's flush leaves nothing of it.

use bide_core::{Delivery, Invocation};
use bide_store::attempt_log::slots;
use bide_store::planner::{Change, Outbox, Plan};
use bide_store::{BatchReply, StoreError};
use bide_types::{InvocationId, Timestamp};

use crate::index::{Entry, entries};
use crate::keys::codec::Undecodable;
use crate::keys::deliveries::{self, Place, StoredDelivery};
use crate::keys::{
    Space, attempt_logs, controls, dead_letters, invocations, ledgers, meta, outbox, payloads, results,
};
use crate::state::State;

/// The step in which [`State::id_lead`] grows: one millisecond of ids, so that it hardly ever changes.
const ID_LEAD_STEP: u64 = 1 << 20;

impl State {
    /// Writes `plan` into the group.
    ///
    /// # Errors
    /// When something that the plan relies on cannot be read; then the group is half written and must not be flushed.
    pub(crate) fn apply(&mut self, plan: Plan) -> Result<BatchReply, StoreError> {
        for change in plan.changes {
            self.apply_change(change)?;
        }
        for (function, ledger) in &plan.ledgers {
            self.txn.put(Space::Ledgers, ledgers::key(*function), ledgers::encode(ledger));
        }
        for (key, object) in &plan.controls {
            match object {
                Some(object) => self.txn.put(Space::Controls, controls::key(key), controls::encode(object)),
                None => self.txn.remove(Space::Controls, controls::key(key)),
            }
        }
        if plan.last_id != self.last_id {
            self.last_id = plan.last_id;
            self.txn.put(Space::Meta, meta::LAST_ID_KEY, meta::encode(plan.last_id.get()));
        }
        Ok(plan.reply)
    }

    fn apply_change(&mut self, change: Change) -> Result<(), StoreError> {
        let Change { before, after, payload, result, logs, outbox } = change;
        let Some(id) = before.as_ref().or(after.as_ref()).map(|invocation| invocation.id) else {
            return Ok(()); // came and went within one batch
        };
        self.apply_entries(before.as_ref(), after.as_ref());
        self.apply_outbox(id, outbox, before.as_ref(), after.as_ref())?;
        match &after {
            Some(invocation) => {
                if before.is_none() {
                    self.note_id_lead(invocation);
                }
                self.txn.put(Space::Invocations, invocations::key(id), invocations::encode(invocation));
                if let Some(payload) = payload {
                    self.txn.put(Space::Payloads, payloads::key(id), payloads::encode(&payload));
                }
                if let Some(result) = result {
                    self.txn.put(Space::Results, results::key(id), results::encode(&result));
                }
                for log in logs {
                    let key = attempt_logs::key(id, log.slot());
                    self.txn.put(Space::AttemptLogs, key, attempt_logs::encode(&log));
                }
            }
            None => self.forget(id, before.as_ref()),
        }
        Ok(())
    }

    fn forget(&mut self, id: InvocationId, before: Option<&Invocation>) {
        self.txn.remove(Space::Invocations, invocations::key(id));
        self.txn.remove(Space::Payloads, payloads::key(id));
        // A result is stored with the settlement, so an invocation that was not settled has none.
        if before.is_some_and(|invocation| invocation.settlement().is_some()) {
            self.txn.remove(Space::Results, results::key(id));
        }
        for slot in 0..before.map_or(0, log_slots) {
            self.txn.remove(Space::AttemptLogs, attempt_logs::key(id, slot));
        }
    }

    fn apply_entries(&mut self, before: Option<&Invocation>, after: Option<&Invocation>) {
        let old = before.map(entries).unwrap_or_default();
        let new = after.map(entries).unwrap_or_default();
        for entry in old.iter().filter(|entry| !new.contains(entry)) {
            self.txn.remove(entry.space(), entry.key());
            self.note(entry, Presence::Gone);
        }
        for entry in new.iter().filter(|entry| !old.contains(entry)) {
            self.txn.put(entry.space(), entry.key(), entry.value());
            self.note(entry, Presence::There);
        }
    }

    fn note(&mut self, entry: &Entry, presence: Presence) {
        match (entry, presence) {
            (Entry::Queue(line, position), Presence::There) => {
                self.heads.insert(line, *position);
                self.news.lines.insert(line.clone());
            }
            (Entry::Queue(line, position), Presence::Gone) => {
                self.heads.remove(line, *position);
                self.news.lines.insert(line.clone());
            }
            (Entry::Lease(lease), Presence::There) => {
                self.news.leases.insert(lease.invocation, Some(*lease));
            }
            (Entry::Lease(lease), Presence::Gone) => {
                self.news.leases.insert(lease.invocation, None);
            }
            (Entry::Settled(position), Presence::There) => {
                self.settled_from = self.settled_from.min(*position);
            }
            (Entry::Settled(_), Presence::Gone)
            | (Entry::TaskId(..) | Entry::Task(..) | Entry::TaskStatus(..), _) => {}
        }
    }

    fn apply_outbox(
        &mut self,
        id: InvocationId,
        change: Outbox,
        before: Option<&Invocation>,
        after: Option<&Invocation>,
    ) -> Result<(), StoreError> {
        match change {
            Outbox::Keep if after.is_none() && before.is_some_and(has_record) => self.remove_delivery(id),
            Outbox::Keep => Ok(()),
            Outbox::Add(delivery) => {
                self.add_delivery(delivery, after);
                Ok(())
            }
            Outbox::RetryAt(due) => self.move_delivery(id, |attempts| attempts + 1, Place::Outbox { due }),
            Outbox::PutOff(due) => self.move_delivery(id, |attempts| attempts, Place::Outbox { due }),
            Outbox::Bury { since, reason } => {
                self.move_delivery(id, |attempts| attempts + 1, Place::Dead { since, reason })
            }
            Outbox::Revive(due) => self.move_delivery(id, |_| 0, Place::Outbox { due }),
            Outbox::Remove => self.remove_delivery(id),
        }
    }

    /// A new destination record is due at once.
    fn add_delivery(&mut self, delivery: Delivery, settled: Option<&Invocation>) {
        let due =
            settled.and_then(Invocation::settlement).map_or(Timestamp::ZERO, |settlement| settlement.at);
        self.put_delivery(&StoredDelivery { delivery, attempts: 0, place: Place::Outbox { due } });
    }

    fn move_delivery(
        &mut self,
        id: InvocationId,
        attempts: impl FnOnce(u32) -> u32,
        place: Place,
    ) -> Result<(), StoreError> {
        let stored = self.delivery(id)?;
        self.remove_delivery(id)?;
        self.put_delivery(&StoredDelivery { attempts: attempts(stored.attempts), place, ..stored });
        Ok(())
    }

    fn put_delivery(&mut self, stored: &StoredDelivery) {
        let position = stored.position();
        self.txn.put(Space::Deliveries, deliveries::key(position.1), deliveries::encode(stored));
        match stored.place {
            Place::Outbox { .. } => {
                self.txn.put(Space::Outbox, outbox::key(position), []);
                self.outbox.insert(position, self.limits);
            }
            Place::Dead { .. } => {
                self.txn.put(Space::DeadLetters, dead_letters::key(position), []);
                self.dead_letters += 1;
            }
        }
    }

    fn remove_delivery(&mut self, id: InvocationId) -> Result<(), StoreError> {
        let stored = self.delivery(id)?;
        let position = stored.position();
        self.txn.remove(Space::Deliveries, deliveries::key(id));
        match stored.place {
            Place::Outbox { .. } => {
                self.txn.remove(Space::Outbox, outbox::key(position));
                self.outbox.remove(position);
            }
            Place::Dead { .. } => {
                self.txn.remove(Space::DeadLetters, dead_letters::key(position));
                self.dead_letters = self.dead_letters.saturating_sub(1);
            }
        }
        Ok(())
    }

    fn delivery(&self, id: InvocationId) -> Result<StoredDelivery, StoreError> {
        let key = deliveries::key(id);
        self.decoded(Space::Deliveries, &key, |value| deliveries::decode(id, value))?
            .ok_or_else(|| Undecodable::new("a destination record is missing").at(Space::Deliveries, &key))
    }

    /// Ids run ahead of acceptance times when the clock steps back. How far at most is what lets a listing by time
    /// end at an id.
    fn note_id_lead(&mut self, invocation: &Invocation) {
        let lead = invocation_lead(invocation);
        if lead > self.id_lead {
            self.id_lead = lead.next_multiple_of(ID_LEAD_STEP);
            self.txn.put(Space::Meta, meta::ID_LEAD_KEY, meta::encode(self.id_lead));
        }
    }
}

/// How far an id is ahead of the first of the millisecond of its acceptance.
pub(crate) fn invocation_lead(invocation: &Invocation) -> u64 {
    invocation.id.get().saturating_sub(InvocationId::first_at(invocation.accepted_at).get())
}

/// Slots that logs of its attempts may have taken.
fn log_slots(invocation: &Invocation) -> u32 {
    if invocation.task_id().is_some() { slots(invocation.runs) } else { 0 }
}

fn has_record(invocation: &Invocation) -> bool {
    invocation.destination.has_record()
}

#[derive(Clone, Copy)]
enum Presence {
    There,
    Gone,
}
