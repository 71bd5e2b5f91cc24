//! The members of one pool: instances that are interchangeable, and the line for them.
//!
//! Owns which member serves next and whether runs are short. Never counts against caps: the book does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::line::Turns;
use super::minimum::Patience;
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
    /// Takes nothing new, and leaves when it runs nothing.
    pub(super) draining: bool,
    pub(super) busy: usize,
    /// Has been told that it is idle.
    pub(super) resting: bool,
    pub(super) ready_since: Duration,
    pub(super) idle_since: Duration,
}

#[derive(Debug)]
pub(super) struct Pool<I, W> {
    /// The newest that was seen.
    pub(super) spec: Arc<FunctionSpec>,
    pub(super) members: Vec<Member<I>>,
    pub(super) waiters: VecDeque<W>,
    pub(super) turns: Turns,
    pub(super) patience: Patience,
    average_run: Option<Duration>,
    last_end: Duration,
}

impl<I> Member<I> {
    pub(super) fn starting(number: u64, instance: I, busy: usize, now: Duration) -> Self {
        Self {
            number,
            instance,
            ready: false,
            crowding: true,
            draining: false,
            busy,
            resting: false,
            ready_since: now,
            idle_since: now,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ready && self.busy == 0
    }
}

impl<I, W> Pool<I, W> {
    pub(super) fn new(spec: &Arc<FunctionSpec>, now: Duration) -> Self {
        Self {
            spec: Arc::clone(spec),
            members: Vec::new(),
            waiters: VecDeque::new(),
            turns: Turns::default(),
            patience: Patience::default(),
            average_run: None,
            last_end: now,
        }
    }

    /// A pool that a call makes. Where a minimum is to be kept there is a pool already (`Book::assign`), so what the call
    /// knows of one is out of date.
    pub(super) fn on_demand(spec: &Arc<FunctionSpec>, now: Duration) -> Self {
        let mut spec = Arc::clone(spec);
        if spec.scale.provisioned > 0 {
            Arc::make_mut(&mut spec).scale.provisioned = 0;
        }
        Self::new(&spec, now)
    }

    /// Whether instances under `spec` are others than the present ones.
    pub(super) fn is_changed_by(&self, spec: &FunctionSpec) -> bool {
        let of =
            |spec: &FunctionSpec| (spec.function.revision, spec.role_arn.clone(), spec.version_id.clone());
        of(&self.spec) != of(spec)
    }

    /// Instances to keep ready.
    pub(super) fn provisioned(&self) -> usize {
        usize::try_from(self.spec.scale.provisioned).unwrap_or(usize::MAX)
    }

    pub(super) fn instances_max(&self) -> Option<usize> {
        self.spec.scale.instances_max()
    }

    /// Members of the present revision, ready or starting.
    fn present(&self) -> usize {
        self.members.iter().filter(|member| !member.draining).count()
    }

    /// Members that are missing of the minimum.
    pub(super) fn lacking(&self) -> usize {
        self.provisioned().saturating_sub(self.present())
    }

    /// Members beyond the minimum.
    pub(super) fn surplus(&self) -> usize {
        self.members.len() - self.present().min(self.provisioned())
    }

    /// Nobody is in it and nobody is to come by itself.
    pub(super) fn is_over(&self) -> bool {
        self.members.is_empty() && self.waiters.is_empty() && self.provisioned() == 0
    }

    fn concurrency(&self) -> usize {
        usize::try_from(self.spec.function.instance_concurrency).unwrap_or(1).max(1)
    }

    pub(super) fn free_slots(&self, member: &Member<I>) -> usize {
        if member.draining { 0 } else { self.concurrency().saturating_sub(member.busy) }
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
