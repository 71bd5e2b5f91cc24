//! From a batch to changes: the one place where stores and the lifecycle meet.
//!
//! Owns the meaning of a [`Batch`]: it runs `bide_core::step` for each operation over an overlay of what is stored, and
//! yields the net [`Change`] of each record, the ledgers and the reply. Never writes: a store turns the [`Plan`] into
//! its own layout, in one atomic write. A crash before that write leaves nothing of the plan.

mod claim;
mod control;

use std::collections::{BTreeMap, HashMap};

use bide_core::{
    Bucket, Command, Delivery, DestinationStatus, Invocation, Ledger, Rejected, State, enqueue, step,
};
use bide_types::{FunctionId, InvocationId, Line, TaskId, Timestamp};
use bytes::Bytes;

use crate::attempt_log::{AttemptLog, Ended, LogText};
use crate::batch::{
    Batch, BatchReply, DeadLetterChange, DeliveryOutcome, Purge, SettleDelivery, Stop, StopReply, Submission,
    SubmitReply, Transition, TransitionReply,
};
use crate::control::{ControlKey, ControlObject};
use crate::store::StoreError;

pub use claim::{CLAIM_EXAMINED_MAX, CLAIM_SETTLED_MAX};

/// A place in a line: by due time, then by id.
pub type QueuePosition = (Timestamp, InvocationId);

/// What the planner needs to know of the stored state.
pub trait Reader {
    fn invocation(&mut self, id: InvocationId) -> Result<Option<Invocation>, StoreError>;

    fn payload(&mut self, id: InvocationId) -> Result<Bytes, StoreError>;

    fn find_task(&mut self, function: FunctionId, task: &TaskId) -> Result<Option<InvocationId>, StoreError>;

    /// Waiting invocations of a line in the order of due time and id, those not yet due included: at most `max`,
    /// strictly after `after`.
    fn head(
        &mut self,
        line: &Line,
        after: Option<QueuePosition>,
        max: usize,
    ) -> Result<Vec<QueuePosition>, StoreError>;

    fn ledger(&mut self, function: FunctionId) -> Result<Ledger, StoreError>;

    fn control(&mut self, key: &ControlKey) -> Result<Option<ControlObject>, StoreError>;

    /// Dead letters that were given up before that time, the oldest first.
    fn dead_letters_before(&mut self, before: Timestamp, max: usize)
    -> Result<Vec<InvocationId>, StoreError>;

    /// Settled tasks that may go, the longest settled first. Those whose destination record is still kept need not be
    /// left out, but while they fill the answer, others wait.
    fn settled_before(&mut self, before: Timestamp, max: usize) -> Result<Vec<InvocationId>, StoreError>;

    /// The greatest invocation id ever given.
    fn last_id(&self) -> InvocationId;
}

/// What a batch comes to.
#[derive(Debug, Default)]
pub struct Plan {
    /// One per touched record, in the order of ids.
    pub changes: Vec<Change>,
    pub ledgers: HashMap<FunctionId, Ledger>,
    pub controls: BTreeMap<ControlKey, Option<ControlObject>>,
    pub last_id: InvocationId,
    pub reply: BatchReply,
}

/// The net change of one record. Indexes follow from the difference between `before` and `after`.
#[derive(Debug, Default)]
pub struct Change {
    /// As stored; `None` for a new record.
    pub before: Option<Invocation>,
    /// As it shall be; `None` removes record, payload, result and logs.
    pub after: Option<Invocation>,
    /// The event of a new record.
    pub payload: Option<Bytes>,
    pub result: Option<Bytes>,
    /// Logs of attempts that ended, each for its slot.
    pub logs: Vec<AttemptLog>,
    pub outbox: Outbox,
}

/// What happens to the destination record of an invocation.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Outbox {
    #[default]
    Keep,
    Add(Delivery),
    RetryAt(Timestamp),
    /// As `RetryAt`, but without an attempt.
    PutOff(Timestamp),
    /// It becomes a dead letter, from that time on.
    Bury {
        since: Timestamp,
        reason: String,
    },
    /// The dead letter is due for delivery again, at that time and without attempts.
    Revive(Timestamp),
    /// It goes from wherever it is.
    Remove,
}

impl Outbox {
    fn is_new(&self) -> bool {
        matches!(self, Self::Add(_))
    }
}

/// Plans `batch` over what `reader` sees.
///
/// # Errors
/// What the reader fails with; then nothing may be written or answered.
pub fn plan(batch: Batch, reader: &mut dyn Reader) -> Result<Plan, StoreError> {
    let mut planner = Planner {
        now: batch.now,
        last_id: reader.last_id(),
        reader,
        loaded: HashMap::new(),
        changes: BTreeMap::new(),
        new_tasks: HashMap::new(),
        ledgers: HashMap::new(),
        controls: BTreeMap::new(),
    };
    let mut reply = BatchReply::default();
    for change in batch.controls {
        reply.controls.push(planner.control(change)?);
    }
    for submission in batch.submissions {
        reply.submissions.push(planner.submit(submission)?);
    }
    for transition in batch.transitions {
        reply.transitions.push(planner.transition(transition)?);
    }
    for stop in batch.stops {
        reply.stops.push(planner.stop(stop)?);
    }
    for delivery in batch.deliveries {
        planner.settle_delivery(&delivery)?;
    }
    for change in batch.dead_letters {
        reply.dead_letters.push(planner.dead_letter(change)?);
    }
    for claim in batch.claims {
        reply.claims.push(planner.claim(&claim)?);
    }
    for purge in batch.purges {
        reply.purges.push(planner.purge(purge)?);
    }
    Ok(planner.finish(reply))
}

struct Planner<'a> {
    now: Timestamp,
    reader: &'a mut dyn Reader,
    /// Records as stored, read by this batch.
    loaded: HashMap<InvocationId, Invocation>,
    changes: BTreeMap<InvocationId, Change>,
    /// Task ids taken by this batch.
    new_tasks: HashMap<(FunctionId, TaskId), InvocationId>,
    ledgers: HashMap<FunctionId, Ledger>,
    controls: BTreeMap<ControlKey, Option<ControlObject>>,
    last_id: InvocationId,
}

impl Planner<'_> {
    fn submit(&mut self, submission: Submission) -> Result<SubmitReply, StoreError> {
        let function = submission.enqueue.function;
        if let Some(task) = &submission.enqueue.task
            && self.find_task(function, task)?.is_some()
        {
            return Ok(SubmitReply::Duplicate);
        }
        let id = self.last_id.next(self.now);
        self.last_id = id;
        let invocation = enqueue(submission.enqueue, id, self.now);
        let due = invocation.not_before;
        if let Some(task) = invocation.task_id() {
            self.new_tasks.insert((function, task.clone()), id);
        }
        self.ledger(function)?.accept(Bucket::of(&invocation));
        let change =
            Change { after: Some(invocation), payload: Some(submission.payload), ..Change::default() };
        self.changes.insert(id, change);
        Ok(SubmitReply::Accepted { id, due })
    }

    fn transition(&mut self, transition: Transition) -> Result<TransitionReply, StoreError> {
        let Some(invocation) = self.load(transition.invocation)? else {
            return Ok(TransitionReply::NotFound);
        };
        match self.apply(&invocation, transition.command, transition.result, transition.log)? {
            Err(rejected) => Ok(TransitionReply::Rejected(rejected)),
            Ok(applied) => Ok(TransitionReply::Applied {
                line: invocation.line(),
                status: applied.next.status(),
                due: applied.next.due(),
                delivery: applied.delivery,
            }),
        }
    }

    fn stop(&mut self, stop: Stop) -> Result<StopReply, StoreError> {
        let Some(id) = self.find_task(stop.function, &stop.task)? else { return Ok(StopReply::NotFound) };
        let Some(invocation) = self.load(id)? else { return Ok(StopReply::NotFound) };
        let policies = &stop.policies;
        let policy = policies.get(&invocation.qualifier).or(invocation.policy.as_ref());
        let policy = policy.or(policies.get_former(&invocation.qualifier));
        let policy = policy.cloned().unwrap_or_default();
        match self.apply(&invocation, Command::Stop { policy }, None, None)? {
            Err(_) => Ok(StopReply::Unchanged { status: invocation.status() }),
            Ok(Applied { next: Invocation { state: State::Stopping { .. }, .. }, .. }) => {
                Ok(StopReply::Stopping { invocation: id })
            }
            Ok(applied) => Ok(StopReply::Stopped { delivery: applied.delivery }),
        }
    }

    fn settle_delivery(&mut self, settle: &SettleDelivery) -> Result<(), StoreError> {
        if self.changes.get(&settle.invocation).is_some_and(|change| change.outbox.is_new()) {
            return Ok(()); // nobody can have delivered what this very batch adds
        }
        let Some(mut invocation) = self.load(settle.invocation)? else { return Ok(()) };
        if invocation.destination != DestinationStatus::Pending {
            return Ok(()); // settled before, by a delivery that was not heard of in time
        }
        let outbox = match &settle.outcome {
            DeliveryOutcome::RetryAt(due) => Outbox::RetryAt(*due),
            DeliveryOutcome::PutOff(due) => Outbox::PutOff(*due),
            DeliveryOutcome::Delivered => {
                invocation.destination = DestinationStatus::Delivered;
                Outbox::Remove
            }
            DeliveryOutcome::GaveUp { reason } => {
                invocation.destination = DestinationStatus::DeadLettered;
                Outbox::Bury { since: self.now, reason: reason.clone() }
            }
        };
        self.put_delivery(invocation, outbox);
        Ok(())
    }

    /// Changes what becomes of the destination record of `invocation`, which says so already.
    fn put_delivery(&mut self, invocation: Invocation, outbox: Outbox) {
        let change = self.change(invocation.id);
        change.outbox = outbox;
        change.after = (!invocation.is_forgettable()).then_some(invocation);
    }

    fn dead_letter(&mut self, change: DeadLetterChange) -> Result<usize, StoreError> {
        let (ids, revive) = match change {
            DeadLetterChange::Redrive(id) => (vec![id], true),
            DeadLetterChange::Drop(id) => (vec![id], false),
            DeadLetterChange::DropBefore { before, max } => {
                (self.reader.dead_letters_before(before, max)?, false)
            }
        };
        let mut changed = 0;
        for id in ids {
            let Some(mut invocation) = self.load(id)? else { continue };
            if invocation.destination != DestinationStatus::DeadLettered {
                continue;
            }
            let outbox = if revive {
                invocation.destination = DestinationStatus::Pending;
                Outbox::Revive(self.now)
            } else {
                invocation.destination = DestinationStatus::Failed;
                Outbox::Remove
            };
            self.put_delivery(invocation, outbox);
            changed += 1;
        }
        Ok(changed)
    }

    fn purge(&mut self, purge: Purge) -> Result<usize, StoreError> {
        let mut removed = 0;
        for id in self.reader.settled_before(purge.settled_before, purge.max)? {
            let Some(invocation) = self.load(id)? else { continue };
            if invocation.destination.has_record() {
                continue; // made of it, and still to be delivered or looked at
            }
            self.change(id).after = None;
            removed += 1;
        }
        Ok(removed)
    }

    /// Runs one command and notes what it changes.
    fn apply(
        &mut self,
        invocation: &Invocation,
        command: Command,
        result: Option<Bytes>,
        log: Option<LogText>,
    ) -> Result<Result<Applied, Rejected>, StoreError> {
        let ended = Ended::by(&command, log);
        let transition = match step(invocation, command, self.now) {
            Err(rejected) => return Ok(Err(rejected)),
            Ok(transition) => transition,
        };
        let (from, to) = (Bucket::of(invocation), Bucket::of(&transition.next));
        if from != to {
            self.shift(invocation, from, to)?;
        }
        let next = transition.next;
        let log = ended.and_then(|ended| ended.of(invocation, &next, self.now));
        let delivery = transition.delivery;
        let has_delivery = delivery.is_some();
        let change = self.change(invocation.id);
        if let Some(delivery) = delivery {
            change.outbox = Outbox::Add(delivery);
        }
        change.logs.extend(log);
        if next.settlement().is_some() {
            change.result = result;
        }
        change.after = (!next.is_forgettable()).then(|| next.clone());
        Ok(Ok(Applied { next, delivery: has_delivery }))
    }

    fn load(&mut self, id: InvocationId) -> Result<Option<Invocation>, StoreError> {
        match self.changes.get(&id) {
            Some(change) => Ok(change.after.clone()),
            None => {
                let stored = self.reader.invocation(id)?;
                if let Some(invocation) = &stored {
                    self.loaded.insert(id, invocation.clone());
                }
                Ok(stored)
            }
        }
    }

    /// The change of a loaded record, begun if this is its first.
    fn change(&mut self, id: InvocationId) -> &mut Change {
        let loaded = &mut self.loaded;
        self.changes.entry(id).or_insert_with(|| Change { before: loaded.remove(&id), ..Change::default() })
    }

    fn find_task(&mut self, function: FunctionId, task: &TaskId) -> Result<Option<InvocationId>, StoreError> {
        match self.new_tasks.get(&(function, task.clone())) {
            Some(id) => Ok(Some(*id)),
            None => self.reader.find_task(function, task),
        }
    }

    fn payload(&mut self, id: InvocationId) -> Result<Bytes, StoreError> {
        match self.changes.get(&id).and_then(|change| change.payload.clone()) {
            Some(payload) => Ok(payload),
            None => self.reader.payload(id),
        }
    }

    fn ledger(&mut self, function: FunctionId) -> Result<&mut Ledger, StoreError> {
        use std::collections::hash_map::Entry;
        match self.ledgers.entry(function) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let ledger = self.reader.ledger(function)?;
                Ok(entry.insert(ledger))
            }
        }
    }

    fn shift(&mut self, invocation: &Invocation, from: Bucket, to: Bucket) -> Result<(), StoreError> {
        let ledger = self.ledger(invocation.function)?;
        if ledger.get(from) == 0 {
            return Err(StoreError::Damaged {
                place: format!("the ledger of {}", invocation.function),
                reason: format!("it counts nothing as {}, but {} is", from.name(), invocation.id),
            });
        }
        ledger.shift(from, to);
        Ok(())
    }

    fn finish(self, reply: BatchReply) -> Plan {
        debug_assert!(self.ledgers.values().all(Ledger::balances), "a ledger that does not balance");
        Plan {
            changes: self.changes.into_values().collect(),
            ledgers: self.ledgers,
            controls: self.controls,
            last_id: self.last_id,
            reply,
        }
    }
}

struct Applied {
    next: Invocation,
    delivery: bool,
}
