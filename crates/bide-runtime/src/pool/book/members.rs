//! The members of one pool: instances that are interchangeable, and the line for them.
//!
//! Owns which member serves next and whether runs are short. Never counts against caps: the book does.

use std::collections::VecDeque;
use std::time::Duration;

use bide_types::AccountId;

use super::line::Turns;
use crate::executor::FunctionSpec;

/// Runs shorter than this on average do not justify more instances than twice the cores.
const SHORT_RUN: Duration = Duration::from_millis(5);
/// When all are busy and none has ended for so long, runs are not short, whatever their average was.
pub(super) const GROWTH_PATIENCE: Duration = Duration::from_millis(25);
/// The moving average spans about so many runs.
const AVERAGE_RUNS: u32 = 8;

#[derive(Debug)]
pub(super) struct Member<I> {
    pub(super) number: u64,
    pub(super) instance: I,
    pub(super) ready: bool,
    /// Starting, and not for long yet.
    pub(super) crowding: bool,
    pub(super) draining: bool,
    pub(super) busy: usize,
    pub(super) idle_since: Duration,
}

#[derive(Debug)]
pub(super) struct Pool<I, W> {
    pub(super) account: AccountId,
    pub(super) concurrency: usize,
    pub(super) members: Vec<Member<I>>,
    pub(super) waiters: VecDeque<W>,
    pub(super) turns: Turns,
    pub(super) average_run: Option<Duration>,
    pub(super) last_end: Duration,
}

impl<I> Member<I> {
    pub(super) fn is_idle(&self) -> bool {
        self.ready && self.busy == 0
    }
}

impl<I, W> Pool<I, W> {
    pub(super) fn new(spec: &FunctionSpec, now: Duration) -> Self {
        Self {
            account: spec.function.account.clone(),
            concurrency: concurrency(spec),
            members: Vec::new(),
            waiters: VecDeque::new(),
            turns: Turns::default(),
            average_run: None,
            last_end: now,
        }
    }

    pub(super) fn free_slots(&self, member: &Member<I>) -> usize {
        if member.draining { 0 } else { self.concurrency.saturating_sub(member.busy) }
    }

    /// Ready before starting, then the most recently used, so that surplus members become idle and are reclaimed.
    pub(super) fn best_free(&self) -> Option<usize> {
        let free = self.members.iter().enumerate().filter(|(_, member)| self.free_slots(member) > 0);
        free.max_by_key(|(_, member)| (member.ready, member.idle_since)).map(|(at, _)| at)
    }

    /// A slot was freed after a run of this length, or without one.
    pub(super) fn note_end(&mut self, now: Duration, run: Option<Duration>) {
        self.last_end = now;
        if let Some(run) = run {
            let average = self.average_run.map_or(run, |old| (old * (AVERAGE_RUNS - 1) + run) / AVERAGE_RUNS);
            self.average_run = Some(average);
        }
    }

    pub(super) fn has_short_runs(&self, now: Duration) -> bool {
        self.average_run.is_some_and(|average| average < SHORT_RUN)
            && now.saturating_sub(self.last_end) < GROWTH_PATIENCE
    }
}

pub(super) fn concurrency(spec: &FunctionSpec) -> usize {
    usize::try_from(spec.function.instance_concurrency).unwrap_or(1).max(1)
}
