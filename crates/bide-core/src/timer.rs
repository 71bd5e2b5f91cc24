//! What a time trigger owes at a moment: ticks that are due, and what becomes of those that nobody was there for.
//!
//! Owns the rule of missed ticks. Never reads a clock: all times are inputs, and progress is a moment of the schedule, so
//! the answer is the same whoever asks, and how often.

use bide_types::Timestamp;

use crate::schedule::Schedule;

/// What becomes of ticks that were missed, because no server ran when they were due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissedTicks {
    /// They never fire.
    #[default]
    Skip,
    /// The last of them fires, unless a later tick is due by then.
    FireOnce,
}

/// A schedule that began at some moment.
#[derive(Clone, Debug)]
pub struct Timer {
    schedule: Schedule,
    anchor: Timestamp,
}

/// See [`Timer::owed`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owed {
    /// Fire now, in this order.
    pub ticks: Vec<Timestamp>,
    /// The last of the ticks that were missed and do not fire.
    pub skipped: Option<Timestamp>,
    /// All ticks up to here are done with once those have fired.
    pub through: Timestamp,
}

impl Timer {
    /// Intervals are counted from `anchor`; only later ticks count.
    pub fn new(schedule: Schedule, anchor: Timestamp) -> Self {
        Self { schedule, anchor }
    }

    /// The first tick after `after`.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.schedule.next(self.anchor, after.max(self.anchor))
    }

    /// What is to be done at `now` with the ticks after `through`, at most `max` of them. Those up to `missed_until` were
    /// missed; `rule` says what becomes of them.
    pub fn owed(
        &self,
        through: Timestamp,
        missed_until: Timestamp,
        now: Timestamp,
        rule: MissedTicks,
        max: usize,
    ) -> Owed {
        let missed = self.last_between(through, missed_until.min(now));
        let mut owed = Owed { ticks: Vec::new(), skipped: missed, through: missed.unwrap_or(through) };
        while owed.ticks.len() < max
            && let Some(tick) = self.next(owed.through).filter(|tick| *tick <= now)
        {
            owed.ticks.push(tick);
            owed.through = tick;
        }
        if rule == MissedTicks::FireOnce && owed.ticks.is_empty() && max > 0 {
            owed.ticks.extend(owed.skipped.take());
        }
        owed
    }

    /// The last tick after `after` and not after `until`, by halving: the time between may hold millions.
    fn last_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        let mut last = self.next(after).filter(|tick| *tick <= until)?;
        let mut none_after = until.as_secs();
        while last.as_secs() < none_after {
            let middle = Timestamp::from_secs(none_after - (none_after - last.as_secs()).div_ceil(2));
            match self.next(middle).filter(|tick| *tick <= until) {
                Some(tick) => last = tick,
                None => none_after = middle.as_secs(),
            }
        }
        Some(last)
    }
}

#[cfg(test)]
mod tests;
