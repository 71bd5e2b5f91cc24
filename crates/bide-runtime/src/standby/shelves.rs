//! What stands ready, by blank: the decisions, without a process or a clock.
//!
//! Owns how many standbys are kept, of what, and for how long. A blank gets a shelf when a start has asked for it; the
//! shelf goes when nobody has asked for long, or when others were asked for more lately. One start at a time: what stands
//! ready is for later, and must not slow down what runs now. Failed starts, and standbys that end by themselves, are
//! followed by pauses that double.

use std::collections::VecDeque;
use std::time::Duration;

use super::{BLANKS_MAX, IDLE_TIMEOUT};

/// First pause after a failure; doubles up to the second.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Standbys `T` by blank `B`.
#[derive(Debug)]
pub(super) struct Shelves<B, T> {
    /// Standbys per shelf; 0: there are none.
    wanted: usize,
    shelves: Vec<Shelf<B, T>>,
    next_number: u64,
    /// Number of the standby that is being started, and what it is.
    starting: Option<(u64, B)>,
    /// Taken since the beginning.
    taken: u64,
    closed: bool,
}

#[derive(Debug)]
struct Shelf<B, T> {
    blank: B,
    /// By number; the oldest first.
    waiting: VecDeque<(u64, T)>,
    asked_at: Duration,
    /// Failures since the last success.
    failures: u32,
    not_before: Duration,
}

/// How many standbys there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StandbyStats {
    /// Ready to be used.
    pub waiting: usize,
    /// Still to be started, or starting.
    pub missing: usize,
    /// Used since the server started.
    pub used: u64,
}

impl<B: Clone + PartialEq, T> Shelves<B, T> {
    pub(super) fn new(wanted: usize) -> Self {
        Self { wanted, shelves: Vec::new(), next_number: 0, starting: None, taken: 0, closed: false }
    }

    /// One that fits, for good.
    pub(super) fn take(&mut self, blank: &B, now: Duration) -> Option<T> {
        let shelf = self.shelf(blank)?;
        shelf.asked_at = now;
        let (_, standby) = shelf.waiting.pop_front()?;
        shelf.failures = 0;
        self.taken += 1;
        Some(standby)
    }

    /// Somebody could have used one: from now on some stand ready. Returns what must end for it.
    pub(super) fn ask(&mut self, blank: &B, now: Duration) -> Vec<T> {
        if self.closed || self.wanted == 0 {
            return Vec::new();
        }
        if let Some(shelf) = self.shelf(blank) {
            shelf.asked_at = now;
            return Vec::new();
        }
        let evicted = self.evict();
        self.shelves.push(Shelf {
            blank: blank.clone(),
            waiting: VecDeque::new(),
            asked_at: now,
            failures: 0,
            not_before: now,
        });
        evicted
    }

    /// Makes room for one more shelf.
    fn evict(&mut self) -> Vec<T> {
        if self.shelves.len() < BLANKS_MAX {
            return Vec::new();
        }
        let oldest = self.shelves.iter().enumerate().min_by_key(|(_, shelf)| shelf.asked_at);
        let Some((index, _)) = oldest else { return Vec::new() };
        self.shelves.swap_remove(index).into_standbys().collect()
    }

    /// What is to be started now, with its number; [`Self::started`] follows.
    pub(super) fn next_start(&mut self, now: Duration) -> Option<(u64, B)> {
        if self.starting.is_some() {
            return None;
        }
        let wanted = self.wanted;
        let due = self.shelves.iter().filter(|shelf| shelf.lacks(wanted) > 0 && shelf.not_before <= now);
        let blank = due.max_by_key(|shelf| shelf.asked_at)?.blank.clone();
        let number = self.next_number;
        self.next_number += 1;
        self.starting = Some((number, blank.clone()));
        Some((number, blank))
    }

    /// How the start went. Returns the standby if nobody wants it any more.
    pub(super) fn started(&mut self, standby: Option<T>, now: Duration) -> Option<T> {
        let Some((number, blank)) = self.starting.take() else { return standby };
        let Some(shelf) = self.shelf(&blank) else { return standby };
        match standby {
            Some(standby) => shelf.waiting.push_back((number, standby)),
            None => shelf.fail(now),
        }
        None
    }

    /// A standby has ended; one that was taken is none of ours any more. Returns it for removal.
    pub(super) fn ended(&mut self, number: u64, now: Duration) -> Option<T> {
        let mut places = self.shelves.iter_mut().filter_map(|shelf| {
            let at = shelf.waiting.iter().position(|(waiting, _)| *waiting == number)?;
            Some((shelf, at))
        });
        let (shelf, at) = places.next()?;
        shelf.fail(now);
        shelf.waiting.remove(at).map(|(_, standby)| standby)
    }

    /// Standbys that nobody has asked for in a long time.
    pub(super) fn expire(&mut self, now: Duration) -> Vec<T> {
        let (gone, kept) = std::mem::take(&mut self.shelves)
            .into_iter()
            .partition(|shelf: &Shelf<B, T>| shelf.asked_at + IDLE_TIMEOUT <= now);
        self.shelves = kept;
        gone.into_iter().flat_map(Shelf::into_standbys).collect()
    }

    /// When there may be something to do that nobody tells of.
    pub(super) fn next_moment(&self) -> Option<Duration> {
        let expiries = self.shelves.iter().map(|shelf| shelf.asked_at + IDLE_TIMEOUT);
        let lacking = self.shelves.iter().filter(|shelf| shelf.lacks(self.wanted) > 0);
        expiries.chain(lacking.map(|shelf| shelf.not_before)).min()
    }

    /// No more standbys; returns those there are.
    pub(super) fn close(&mut self) -> Vec<T> {
        self.closed = true;
        std::mem::take(&mut self.shelves).into_iter().flat_map(Shelf::into_standbys).collect()
    }

    pub(super) fn stats(&self) -> StandbyStats {
        StandbyStats {
            waiting: self.shelves.iter().map(|shelf| shelf.waiting.len()).sum(),
            missing: self.shelves.iter().map(|shelf| shelf.lacks(self.wanted)).sum(),
            used: self.taken,
        }
    }

    fn shelf(&mut self, blank: &B) -> Option<&mut Shelf<B, T>> {
        self.shelves.iter_mut().find(|shelf| shelf.blank == *blank)
    }
}

impl<B, T> Shelf<B, T> {
    fn lacks(&self, wanted: usize) -> usize {
        wanted.saturating_sub(self.waiting.len())
    }

    fn fail(&mut self, now: Duration) {
        let pause = PAUSE_FIRST.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        self.not_before = now + pause.min(PAUSE_MAX);
        self.failures = self.failures.saturating_add(1);
    }

    fn into_standbys(self) -> impl Iterator<Item = T> {
        self.waiting.into_iter().map(|(_, standby)| standby)
    }
}

#[cfg(test)]
mod tests;
