//! The dispatcher: claims due work where there is capacity.
//!
//! Owns fairness. Accounts take turns, and within an account lines (functions and qualifiers), each for a bounded number of slots;
//! so neither a slow function nor a flood on one starves another. Pulls: work stays in the store, in line, until a
//! slot is reserved for it. Never decides what a claim means (the store does) or how an attempt ends (`attempt` does).
//!
//! A crash leaves claimed work under a lease that lapses at the next start.

mod attempt;
mod turns;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bide_runtime::{FunctionSpec, Slot};
use bide_store::{Claim, ClaimReply, StoreError};
use bide_types::{Line, Timestamp};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::catalog::{FunctionEntry, Run};
use crate::options::{EXPIRY_SWEEP, LEASE_MARGIN, MAINTENANCE_PERIOD, STORE_RETRY_WAIT};
use crate::start::Shared;
use turns::{Taken, Turn, Turns};

/// The dispatcher's task.
pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
    turns: Turns,
    /// Of lines whose alias has two versions: where the next slot falls between them. Bounded by the number of lines.
    throws: HashMap<Line, f64>,
    /// Claims and attempts under way; joined when the dispatcher ends.
    work: JoinSet<Done>,
}

/// A piece of work came to its end.
enum Done {
    Claim(Box<ClaimDone>),
    Attempt,
}

/// A slot, and what it runs.
struct Reserved {
    spec: Arc<FunctionSpec>,
    slot: Box<dyn Slot>,
}

struct ClaimDone {
    line: Line,
    slots: Vec<Reserved>,
    reply: Result<ClaimReply, StoreError>,
}

impl Dispatcher {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, turns: Turns::default(), throws: HashMap::new(), work: JoinSet::new() }
    }

    /// Runs until `stopping` says so, then waits for the attempts under way.
    pub(crate) async fn run(mut self, mut stopping: watch::Receiver<bool>) {
        let mut next_look = Timestamp::ZERO;
        loop {
            let now = self.shared.clock.now();
            if now >= next_look {
                next_look = now.plus(self.look().await);
            }
            self.take_hints();
            self.claim_where_possible(now);
            let wake = self.turns.next_wake().unwrap_or(next_look).min(next_look);
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => break,
                () = self.shared.signals.hinted() => {}
                () = self.shared.clock.sleep_until(wake) => {}
                Some(done) = self.work.join_next() => self.after(done),
            }
            while let Some(done) = self.work.try_join_next() {
                self.after(done);
            }
        }
        while let Some(done) = self.work.join_next().await {
            self.after(done);
        }
    }

    /// Reads from the store what waits, in case a hint was missed; returns when to look again.
    async fn look(&mut self) -> Duration {
        match self.shared.store.waiting().await {
            Ok(waiting) => {
                waiting.into_iter().for_each(|(line, due)| self.turns.work(line, due));
                MAINTENANCE_PERIOD
            }
            Err(error) => {
                tracing::error!(%error, "cannot read what waits");
                STORE_RETRY_WAIT
            }
        }
    }

    fn take_hints(&mut self) {
        let hints = self.shared.signals.take();
        for (line, due) in hints.due {
            self.turns.work(line, due);
        }
        for function in hints.capacity {
            self.turns.unblock(function, self.shared.catalog.account_of(function).as_ref());
        }
    }

    /// Gives every line that is ready its turn.
    fn claim_where_possible(&mut self, now: Timestamp) {
        self.turns.wake(now, |function| self.shared.catalog.account_of(function));
        while let Some((line, turn)) = self.turns.next() {
            let entry = self.shared.catalog.by_id(line.function);
            let run = entry.as_ref().and_then(|entry| entry.runs.get(&line.qualifier));
            let slots = run.map(|run| self.reserve(&line, run)).unwrap_or_default();
            if run.is_some() && slots.is_empty() && turn == Turn::Run {
                self.turns.block(line, now.plus(EXPIRY_SWEEP));
            } else {
                self.turns.claiming(&line, if slots.is_empty() { turn } else { Turn::Run });
                self.claim(line, entry.as_deref(), slots);
            }
        }
    }

    /// Takes what slots the line may have in this turn. Between the versions of an alias the dice decide for each slot;
    /// a throw stays until its version has one, or a busy version would lose its share to the other.
    fn reserve(&mut self, line: &Line, run: &Run) -> Vec<Reserved> {
        let mut reserved = Vec::new();
        while reserved.len() < self.turns.quantum(line) {
            let shared = &self.shared;
            let throw = || *self.throws.entry(line.clone()).or_insert_with(|| shared.share());
            let spec = run.drawn(throw);
            let Some(slot) = self.shared.executor.try_reserve(spec) else { break };
            self.throws.remove(line);
            reserved.push(Reserved { spec: Arc::clone(spec), slot });
        }
        reserved
    }

    /// Claims work of a line for `slots`, or settles what waits for a function or qualifier that is gone.
    fn claim(&mut self, line: Line, entry: Option<&FunctionEntry>, slots: Vec<Reserved>) {
        let run = entry.and_then(|entry| entry.runs.get(&line.qualifier));
        let lease = run.map_or(LEASE_MARGIN, lease_duration);
        let claim = Claim {
            line: line.clone(),
            // For what is gone no policy is in force: all is invalid, nothing is handed out.
            max: if run.is_some() { slots.len() } else { 1 },
            policies: match entry {
                Some(entry) => Arc::clone(&entry.policies),
                None => self.shared.catalog.former_policies(line.function),
            },
            holder: self.shared.holder,
            lease_expires_at: self.shared.clock.now().plus(lease),
        };
        let shared = Arc::clone(&self.shared);
        self.work.spawn(async move {
            let reply = shared.batcher.claim(claim).await;
            Done::Claim(Box::new(ClaimDone { line, slots, reply }))
        });
    }

    fn after(&mut self, done: Result<Done, JoinError>) {
        match done {
            Ok(Done::Attempt) => {}
            Ok(Done::Claim(claim)) => self.after_claim(*claim),
            Err(error) => tracing::error!(%error, "an attempt broke off; its lease will lapse"),
        }
    }

    fn after_claim(&mut self, claim: ClaimDone) {
        let now = self.shared.clock.now();
        match claim.reply {
            Err(error) => {
                tracing::error!(%error, line = %claim.line, "cannot claim work");
                let again = now.plus(STORE_RETRY_WAIT);
                let taken = Taken { slots: claim.slots.len(), used: 0, next_due: Some(again) };
                self.turns.claimed(claim.line, &taken, now, again);
            }
            Ok(reply) => {
                let (slots, used) = (claim.slots.len(), reply.claimed.len());
                let taken = Taken { slots, used, next_due: reply.next_due };
                self.turns.claimed(claim.line, &taken, now, now.plus(EXPIRY_SWEEP));
                for (claimed, reserved) in reply.claimed.into_iter().zip(claim.slots) {
                    let attempt = attempt::run(Arc::clone(&self.shared), claimed, reserved);
                    self.work.spawn(async move {
                        attempt.await;
                        Done::Attempt
                    });
                }
            }
        }
    }
}

/// The longest that one attempt can take.
fn lease_duration(run: &Run) -> Duration {
    let longest =
        run.specs().map(|spec| spec.function.timeout() + spec.function.initialization_timeout()).max();
    longest.unwrap_or_default() + LEASE_MARGIN
}
