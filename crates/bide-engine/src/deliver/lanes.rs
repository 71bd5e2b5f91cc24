//! A lane per target: how many deliveries are under way to it, what waits behind them, and whether it seems to be down.
//!
//! Owns that what fails or is slow in one lane holds up no other. A target that fails several times in a row is left
//! alone for a while, then tried with one delivery; meanwhile what is due for it counts as failed without being sent.
//! Only in memory: a new start finds out again.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bide_types::{InvocationId, Timestamp};

use crate::options::{
    LANE_FAILURES_MAX, LANE_FAST_MIN, LANE_PACE_WINDOW, LANE_PUT_OFF, LANE_WAIT_FIRST, LANE_WAIT_MAX,
    LANE_WAITING_MAX,
};

/// Which lane a delivery takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum LaneKey {
    /// Deliveries that need nobody but this node.
    Own,
    /// A mapping, by its name.
    Target(Arc<str>),
}

/// What happens to a delivery that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    Start,
    /// It waits in the lane and comes out of [`Lanes::next`].
    Wait,
    /// The lane is full and slow: others behind it must not wait for it.
    PutOff(Timestamp),
    /// The lane is full and fast: it has room again before long.
    Leave,
    /// The target is down and is not tried before that time.
    Refuse(Timestamp),
}

/// How sending went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Also if the target was not to blame.
    Well,
    TargetFailed,
}

#[derive(Default)]
pub(super) struct Lanes(HashMap<LaneKey, Lane>);

struct Lane {
    concurrency: usize,
    under_way: usize,
    waiting: VecDeque<InvocationId>,
    health: Health,
    pace: Pace,
}

/// How many deliveries of a lane ended lately.
#[derive(Default)]
struct Pace {
    /// When this window began.
    since: Timestamp,
    count: usize,
    /// In the window before.
    before: usize,
}

/// What is known of a target.
enum Health {
    Well {
        /// In a row.
        failures: u32,
    },
    Down {
        until: Timestamp,
        wait: Duration,
    },
    /// One delivery is under way to find out; `wait` was the last one.
    Trying {
        wait: Duration,
    },
}

impl Lanes {
    /// Decides on a delivery that is due, and counts it as under way if it starts.
    pub(super) fn admit(
        &mut self,
        key: &LaneKey,
        concurrency: usize,
        id: InvocationId,
        now: Timestamp,
    ) -> Admission {
        let lane = self.0.entry(key.clone()).or_insert_with(|| Lane::new(concurrency));
        match lane.room(now) {
            Admission::Wait if lane.waiting.len() < LANE_WAITING_MAX => {
                lane.waiting.push_back(id);
                Admission::Wait
            }
            Admission::Wait if lane.pace.is_fast(now) => Admission::Leave,
            Admission::Wait => Admission::PutOff(now.plus(LANE_PUT_OFF)),
            decided => decided,
        }
    }

    pub(super) fn finished(&mut self, key: &LaneKey, sent: Sent, now: Timestamp) {
        if let Some(lane) = self.0.get_mut(key) {
            lane.under_way -= 1;
            lane.note(sent, now);
            lane.pace.count_one(now);
        }
    }

    /// Whether a lane can take up a good many more.
    pub(super) fn has_room(&self, key: &LaneKey) -> bool {
        self.0.get(key).is_none_or(|lane| lane.waiting.len() < LANE_WAITING_MAX / 2)
    }

    /// The next of those that wait in a lane, with what happens to it now; call until there is none.
    pub(super) fn next(&mut self, key: &LaneKey, now: Timestamp) -> Option<(InvocationId, Admission)> {
        let lane = self.0.get_mut(key)?;
        if lane.waiting.is_empty() {
            return None;
        }
        match lane.room(now) {
            Admission::Wait => None,
            decided => Some((lane.waiting.pop_front()?, decided)),
        }
    }
}

impl Lane {
    fn new(concurrency: usize) -> Self {
        let (waiting, health) = (VecDeque::new(), Health::Well { failures: 0 });
        Self { concurrency, under_way: 0, waiting, health, pace: Pace::default() }
    }

    /// Whether one more may start now; counts it if so.
    fn room(&mut self, now: Timestamp) -> Admission {
        match self.health {
            Health::Down { until, .. } if now < until => return Admission::Refuse(until),
            Health::Down { wait, .. } => self.health = Health::Trying { wait },
            Health::Trying { .. } => return Admission::Wait,
            Health::Well { .. } if self.under_way >= self.concurrency => return Admission::Wait,
            Health::Well { .. } => {}
        }
        self.under_way += 1;
        Admission::Start
    }

    fn note(&mut self, sent: Sent, now: Timestamp) {
        let down = |wait: Duration| Health::Down { until: now.plus(wait), wait };
        self.health = match (sent, &self.health) {
            (Sent::Well, _) => Health::Well { failures: 0 },
            (Sent::TargetFailed, Health::Well { failures }) if failures + 1 < LANE_FAILURES_MAX => {
                Health::Well { failures: failures + 1 }
            }
            (Sent::TargetFailed, Health::Well { .. }) => down(LANE_WAIT_FIRST),
            (Sent::TargetFailed, Health::Trying { wait }) => down((*wait * 2).min(LANE_WAIT_MAX)),
            // It was under way before the target was seen to be down.
            (Sent::TargetFailed, Health::Down { until, wait }) => Health::Down { until: *until, wait: *wait },
        };
    }
}

impl Pace {
    fn count_one(&mut self, now: Timestamp) {
        self.turn(now);
        self.count += 1;
    }

    fn is_fast(&mut self, now: Timestamp) -> bool {
        self.turn(now);
        self.count.max(self.before) >= LANE_FAST_MIN
    }

    /// Begins a new window when this one is over.
    fn turn(&mut self, now: Timestamp) {
        let age = now.since(self.since);
        if age >= LANE_PACE_WINDOW {
            self.before = if age < LANE_PACE_WINDOW * 2 { self.count } else { 0 };
            (self.since, self.count) = (now, 0);
        }
    }
}

#[cfg(test)]
mod tests;
