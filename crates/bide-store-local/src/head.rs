//! The front of an ordered queue in memory, bounded, whatever its length on disk.
//!
//! Owns the invariant: every entry at or before the horizon is in memory, and what lies after it is only on disk. So
//! the front is read without touching the disk, and when it runs low it is refilled from the horizon on. Reading a
//! queue from its start would pass over the tombstones of everything already taken. Never writes; a crash loses
//! nothing, since opening starts with an unread head.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};

use bide_store::planner::QueuePosition;
use bide_types::{InvocationId, Timestamp};

/// Before every entry: ids start at 1.
pub(crate) const START: QueuePosition = (Timestamp::ZERO, InvocationId::new(0));

/// Bounds of one head.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Entries read from disk at once.
    pub refill: usize,
    /// Entries in memory; one more and the head is cut back to `refill`.
    pub max: usize,
    /// Entries in memory of all functions together.
    pub total: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        Self { refill: 1024, max: 4096, total: 65_536 }
    }
}

pub(crate) struct Head {
    entries: BTreeSet<QueuePosition>,
    /// `None` when the whole queue is in memory.
    horizon: Option<QueuePosition>,
}

impl Head {
    /// A queue that has no entries.
    pub(crate) fn empty() -> Self {
        Self { entries: BTreeSet::new(), horizon: None }
    }

    /// A queue of which only the disk knows.
    pub(crate) fn unread() -> Self {
        Self { entries: BTreeSet::new(), horizon: Some(START) }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The first entry in memory; the first of all after [`Head::settle`].
    pub(crate) fn first(&self) -> Option<QueuePosition> {
        self.entries.first().copied()
    }

    /// Notes a new entry, which is or will be on disk.
    pub(crate) fn insert(&mut self, position: QueuePosition, limits: HeadLimits) {
        if self.horizon.is_none_or(|horizon| position <= horizon) {
            self.entries.insert(position);
            if self.entries.len() > limits.max {
                self.cut(limits.refill);
            }
        }
    }

    pub(crate) fn remove(&mut self, position: QueuePosition) {
        self.entries.remove(&position);
    }

    /// Forgets all but the first `keep` entries, at least one.
    pub(crate) fn cut(&mut self, keep: usize) {
        let keep = keep.max(1);
        if self.entries.len() > keep {
            while self.entries.len() > keep {
                self.entries.pop_last();
            }
            self.horizon = self.entries.last().copied();
        }
    }

    /// Makes sure that the first entry, if there is one, is in memory.
    pub(crate) fn settle<E>(
        &mut self,
        limits: HeadLimits,
        source: &mut impl FnMut(QueuePosition, usize) -> Result<Vec<QueuePosition>, E>,
    ) -> Result<Option<QueuePosition>, E> {
        if self.entries.is_empty() && self.horizon.is_some() {
            self.refill(limits, source)?;
        }
        Ok(self.first())
    }

    /// Entries after `after` in order, at most `max`. `source` reads that many entries after a position from disk.
    pub(crate) fn read<E>(
        &mut self,
        after: Option<QueuePosition>,
        max: usize,
        limits: HeadLimits,
        source: &mut impl FnMut(QueuePosition, usize) -> Result<Vec<QueuePosition>, E>,
    ) -> Result<Vec<QueuePosition>, E> {
        let mut found = self.in_memory(after, max);
        let Some(horizon) = self.horizon else { return Ok(found) };
        if found.len() == max {
            return Ok(found);
        }
        if after.is_none_or(|after| after <= horizon) && self.entries.len() < limits.refill {
            self.refill(limits, source)?;
            found = self.in_memory(after, max);
        }
        let Some(horizon) = self.horizon else { return Ok(found) };
        if found.len() < max {
            let from = after.map_or(horizon, |after| after.max(horizon));
            found.extend(source(from, max - found.len())?);
        }
        Ok(found)
    }

    fn in_memory(&self, after: Option<QueuePosition>, max: usize) -> Vec<QueuePosition> {
        let start = after.map_or(Unbounded, Excluded);
        self.entries.range((start, Unbounded)).take(max).copied().collect()
    }

    fn refill<E>(
        &mut self,
        limits: HeadLimits,
        source: &mut impl FnMut(QueuePosition, usize) -> Result<Vec<QueuePosition>, E>,
    ) -> Result<(), E> {
        let Some(horizon) = self.horizon else { return Ok(()) };
        let read = source(horizon, limits.refill)?;
        self.horizon = if read.len() < limits.refill { None } else { read.last().copied() };
        self.entries.extend(read);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
