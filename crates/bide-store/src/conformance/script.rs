//! A long story of random batches, the same for the same seed.
//!
//! Owns the dice. Knows what was answered, so that most commands reach something; some are meant to miss.

use std::sync::Arc;
use std::time::Duration;

use bide_core::{Command, Epoch, Failure, FunctionError, LeaseHolder, Policy, PolicyTable, Run};
use bide_types::{FunctionId, InvocationId, Line, Qualifier, Timestamp};
use bytes::Bytes;

use super::driver::{HOLDER, at, deferred, of, plain, start, succeed, task, task_id, with_qualifier};
use super::reads::FUNCTIONS;
use crate::attempt_log::LogText;
use crate::batch::{
    Batch, BatchReply, Claim, DeadLetterChange, DeliveryOutcome, Purge, SettleDelivery, Stop, Submission,
    SubmitReply, Transition, TransitionReply,
};
use crate::control::{ControlChange, ControlKey, ControlWrite, Expected};

/// Task ids are drawn from so many, so that some are drawn twice.
const TASK_IDS: u64 = 30;
/// What is remembered of answers, to refer to later.
const MEMORY: usize = 30;

pub(crate) struct Script {
    dice: Dice,
    now: Timestamp,
    /// Leases that were handed out, also some that are long over.
    leases: Vec<(InvocationId, Epoch)>,
    accepted: Vec<InvocationId>,
    /// The invocations of the transitions of the last batch.
    asked: Vec<InvocationId>,
    /// Settled with a destination record.
    settled: Vec<InvocationId>,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice(seed),
            now: at(0),
            leases: Vec::new(),
            accepted: Vec::new(),
            asked: Vec::new(),
            settled: Vec::new(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn next_batch(&mut self) -> Batch {
        self.now = self.next_moment();
        let policies = self.policies();
        let mut batch = Batch { now: self.now, ..Batch::default() };
        for _ in 0..=self.dice.below(6) {
            match self.dice.below(21) {
                0..=5 => batch.submissions.push(self.submission()),
                6..=8 => batch.claims.push(self.claim(&policies)),
                9..=14 => batch.transitions.extend(self.transition(&policies)),
                15 => batch.stops.push(self.stop(&policies)),
                16..=17 => batch.deliveries.extend(self.delivery()),
                18 => batch.controls.push(self.control()),
                19 => batch.dead_letters.extend(self.letter_change()),
                _ => batch.purges.push(self.purge()),
            }
        }
        self.asked = batch.transitions.iter().map(|transition| transition.invocation).collect();
        batch
    }

    /// Remembers what a batch was answered.
    pub(crate) fn learn(&mut self, reply: &BatchReply) {
        for submission in &reply.submissions {
            if let SubmitReply::Accepted { id, .. } = submission {
                self.accepted.push(*id);
            }
        }
        for claimed in reply.claims.iter().flat_map(|claim| &claim.claimed) {
            self.leases.push((claimed.invocation.id, claimed.invocation.epoch));
        }
        for (invocation, transition) in self.asked.iter().zip(&reply.transitions) {
            if let TransitionReply::Applied { delivery: true, .. } = transition {
                self.settled.push(*invocation);
            }
        }
        forget(&mut self.accepted);
        forget(&mut self.leases);
        forget(&mut self.settled);
    }

    /// Mostly a little later, sometimes much, sometimes the clock steps back.
    fn next_moment(&mut self) -> Timestamp {
        match self.dice.below(20) {
            0 => self.now.minus(Duration::from_millis(self.dice.below(4000))),
            1 => self.now,
            2 => self.now.plus(Duration::from_secs(self.dice.below(4000))),
            3..=7 => self.now.plus(Duration::from_millis(self.dice.below(4000))),
            _ => self.now.plus(Duration::from_millis(self.dice.below(300))),
        }
    }

    fn policies(&mut self) -> Arc<PolicyTable> {
        let mut policies = Vec::new();
        for (qualifier, percent) in [("LATEST", 97), ("prod", 80)] {
            if self.dice.chance(percent) {
                policies.push((Qualifier::new(qualifier).expect("a valid qualifier"), self.policy()));
            }
        }
        Arc::new(if self.dice.chance(97) {
            PolicyTable::in_force(policies)
        } else {
            PolicyTable::former(policies)
        })
    }

    fn policy(&mut self) -> Policy {
        let mut target = |name: &str| self.dice.chance(50).then(|| name.to_owned());
        let (on_success, on_failure) = (target("on-success"), target("on-failure"));
        let age_max = Duration::from_secs(if self.dice.chance(30) { 5 } else { 86_400 });
        Policy { retries_max: self.dice.small(3), age_max, on_success, on_failure }
    }

    fn function(&mut self) -> FunctionId {
        FUNCTIONS[self.dice.index(FUNCTIONS.len())]
    }

    fn line(&mut self) -> Line {
        let qualifier = if self.dice.chance(80) { "LATEST" } else { "prod" };
        Line::new(self.function(), Qualifier::new(qualifier).expect("a valid qualifier"))
    }

    fn submission(&mut self) -> Submission {
        let mut submission = if self.dice.chance(60) { task(&self.task_name()) } else { plain() };
        submission = of(submission, self.function());
        if self.dice.chance(30) {
            submission = with_qualifier(submission, "prod");
        }
        if self.dice.chance(40) {
            let delay = Duration::from_millis(self.dice.below(10_000));
            submission = deferred(submission, delay);
        }
        submission.payload = self.payload();
        submission
    }

    /// Mostly short; some are long enough for a store to keep them apart.
    fn payload(&mut self) -> Bytes {
        let length =
            if self.dice.chance(15) { 5_000 + self.dice.index(20_000) } else { self.dice.index(200) };
        let filler = b'a' + u8::try_from(self.dice.below(26)).expect("a letter of the alphabet");
        Bytes::from(vec![filler; length])
    }

    fn task_name(&mut self) -> String {
        format!("job-{}", self.dice.below(TASK_IDS))
    }

    fn claim(&mut self, policies: &Arc<PolicyTable>) -> Claim {
        let holder = if self.dice.chance(80) { HOLDER } else { LeaseHolder(1) };
        Claim {
            line: self.line(),
            max: self.dice.index(5),
            policies: Arc::clone(policies),
            holder,
            lease_expires_at: self.now.plus(Duration::from_secs(self.dice.below(60))),
        }
    }

    fn transition(&mut self, policies: &PolicyTable) -> Option<Transition> {
        let (invocation, mut epoch) =
            if self.dice.chance(15) { self.pick_accepted() } else { self.pick_lease() }?;
        if self.dice.chance(8) {
            epoch = Epoch(epoch.0.wrapping_sub(1));
        }
        let command = self.command(epoch, policies);
        let result = self.dice.chance(70).then(|| self.payload());
        let log =
            self.dice.chance(60).then(|| LogText { text: self.payload(), dropped_bytes: self.dice.below(3) });
        Some(Transition { invocation, command, result, log })
    }

    fn pick_accepted(&mut self) -> Option<(InvocationId, Epoch)> {
        let position = self.dice.index(self.accepted.len().max(1));
        Some((*self.accepted.get(position)?, Epoch::default()))
    }

    fn pick_lease(&mut self) -> Option<(InvocationId, Epoch)> {
        // The youngest leases are the likeliest to be out.
        let back = self.dice.index(self.leases.len().clamp(1, 6));
        let position = self.leases.len().checked_sub(back + 1)?;
        Some(self.leases[position])
    }

    fn command(&mut self, epoch: Epoch, policies: &PolicyTable) -> Command {
        let failure = match self.dice.below(4) {
            0 => Failure::Throttled,
            1 => Failure::System,
            2 => Failure::Function(FunctionError::TimedOut),
            _ => Failure::Function(FunctionError::Unhandled),
        };
        let run = Run { duration: Duration::from_millis(self.dice.below(500)), instance: None };
        let policy = policies.get(&Qualifier::latest()).cloned().unwrap_or_default();
        match self.dice.below(20) {
            0..=8 => start(epoch),
            9..=11 => succeed(epoch),
            12..=14 => Command::Fail { epoch, failure, run },
            15 => Command::FinishStop { epoch },
            16 => Command::Lapse { epoch },
            17 => Command::Stop { policy },
            18 => Command::Invalidate { reason: "its package is gone".to_owned(), policy: Some(policy) },
            _ => Command::Expire { policy },
        }
    }

    fn stop(&mut self, policies: &Arc<PolicyTable>) -> Stop {
        Stop { function: self.function(), task: task_id(&self.task_name()), policies: Arc::clone(policies) }
    }

    fn delivery(&mut self) -> Option<SettleDelivery> {
        let known = if self.dice.chance(80) { &self.settled } else { &self.accepted };
        let position = self.dice.index(known.len().max(1));
        let invocation = *known.get(position)?;
        let outcome = match self.dice.below(6) {
            0 => DeliveryOutcome::GaveUp { reason: format!("reason {}", self.dice.below(100)) },
            1 => DeliveryOutcome::Delivered,
            2 => DeliveryOutcome::PutOff(self.now.plus(Duration::from_millis(self.dice.below(5000)))),
            _ => DeliveryOutcome::RetryAt(self.now.plus(Duration::from_millis(self.dice.below(5000)))),
        };
        Some(SettleDelivery { invocation, outcome })
    }

    fn letter_change(&mut self) -> Option<DeadLetterChange> {
        if self.dice.chance(20) {
            let before = self.now.minus(Duration::from_millis(self.dice.below(5000)));
            return Some(DeadLetterChange::DropBefore { before, max: self.dice.index(3) });
        }
        let position = self.dice.index(self.settled.len().max(1));
        let id = *self.settled.get(position)?;
        Some(if self.dice.chance(50) { DeadLetterChange::Redrive(id) } else { DeadLetterChange::Drop(id) })
    }

    fn control(&mut self) -> ControlChange {
        let writes = (0..=self.dice.below(3)).map(|_| ControlWrite {
            key: ControlKey::new(&["function", &self.dice.below(4).to_string()]),
            expected: match self.dice.below(4) {
                0 => Expected::Absent,
                1 => Expected::Revision(1 + self.dice.below(3)),
                _ => Expected::Anything,
            },
            value: self.dice.chance(75).then(|| self.payload()),
        });
        ControlChange { writes: writes.collect(), submissions: self.accompanying() }
    }

    /// What is submitted if and only if a change of control objects happens: no tasks, whose ids may be taken.
    fn accompanying(&mut self) -> Vec<Submission> {
        let mut submissions: Vec<_> = (0..self.dice.index(3)).map(|_| self.submission()).collect();
        submissions.iter_mut().for_each(|submission| submission.enqueue.task = None);
        submissions
    }

    fn purge(&mut self) -> Purge {
        let age = Duration::from_millis(self.dice.below(20_000));
        Purge { settled_before: self.now.minus(age), max: self.dice.index(4) }
    }
}

/// Drops what was remembered first.
fn forget<T>(remembered: &mut Vec<T>) {
    remembered.drain(..remembered.len().saturating_sub(MEMORY));
}

/// SplitMix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators").
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    fn small(&mut self, bound: u32) -> u32 {
        u32::try_from(self.below(bound.into())).expect("less than its bound")
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("less than its bound")
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
