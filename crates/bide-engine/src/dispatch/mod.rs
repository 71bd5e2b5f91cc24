//! The dispatcher: claims due work where there is capacity.
//!
//! Owns fairness. Accounts take turns, and within an account lines (functions and qualifiers), each for a bounded number of slots;
//! so neither a slow function nor a flood on one starves another. Pulls: work stays in the store, in line, until a
//! slot is reserved for it. Never decides what a claim means (the store does) or how an attempt ends (`attempt` does).
//!
//! A crash leaves claimed work under a lease that lapses at the next start.

mod attempt;
mod turns;

use std::sync::Arc;
use std::time::Duration;

use bide_runtime::Slot;
use bide_store::{Claim, ClaimReply, StoreError};
use bide_types::{Line, Timestamp};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use crate::catalog::FunctionEntry;
use crate::options::{EXPIRY_SWEEP, LEASE_MARGIN, MAINTENANCE_PERIOD, STORE_RETRY_WAIT};
use crate::start::Shared;
use turns::{Taken, Turn, Turns};

/// The dispatcher's task.
pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
    turns: Turns,
    /// Claims and attempts under way; joined when the dispatcher ends.
    work: JoinSet<Done>,
}

/// A piece of work came to its end.
enum Done {
    Claim(Box<ClaimDone>),
    Attempt,
}

struct ClaimDone {
    line: Line,
    entry: Option<Arc<FunctionEntry>>,
    slots: Vec<Box<dyn Slot>>,
    reply: Result<ClaimReply, StoreError>,
}

impl Dispatcher {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, turns: Turns::default(), work: JoinSet::new() }
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
            let slots = entry
                .as_ref()
                .map(|entry| self.reserve(entry, self.turns.quantum(&line)))
                .unwrap_or_default();
            if entry.is_some() && slots.is_empty() && turn == Turn::Run {
                self.turns.block(line, now.plus(EXPIRY_SWEEP));
            } else {
                self.turns.claiming(&line, if slots.is_empty() { turn } else { Turn::Run });
                self.claim(line, entry, slots);
            }
        }
    }

    fn reserve(&self, entry: &FunctionEntry, max: usize) -> Vec<Box<dyn Slot>> {
        let executor = &self.shared.executor;
        std::iter::from_fn(|| executor.try_reserve(&entry.spec)).take(max).collect()
    }

    /// Claims work of a line for `slots`, or settles what waits for a function that is gone.
    fn claim(&mut self, line: Line, entry: Option<Arc<FunctionEntry>>, slots: Vec<Box<dyn Slot>>) {
        let lease = entry.as_ref().map_or(LEASE_MARGIN, |entry| lease_duration(entry));
        let claim = Claim {
            line: line.clone(),
            // For a function that is gone no policy is in force: all is invalid, nothing is handed out.
            max: if entry.is_some() { slots.len() } else { 1 },
            policies: match &entry {
                Some(entry) => Arc::clone(&entry.policies),
                None => self.shared.catalog.former_policies(line.function),
            },
            holder: self.shared.holder,
            lease_expires_at: self.shared.clock.now().plus(lease),
        };
        let shared = Arc::clone(&self.shared);
        self.work.spawn(async move {
            let reply = shared.batcher.claim(claim).await;
            Done::Claim(Box::new(ClaimDone { line, entry, slots, reply }))
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
                let Some(entry) = claim.entry else { return };
                for (claimed, slot) in reply.claimed.into_iter().zip(claim.slots) {
                    let attempt = attempt::run(Arc::clone(&self.shared), Arc::clone(&entry), claimed, slot);
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
fn lease_duration(entry: &FunctionEntry) -> Duration {
    let function = &entry.function.value;
    function.timeout() + function.initialization_timeout() + LEASE_MARGIN
}
