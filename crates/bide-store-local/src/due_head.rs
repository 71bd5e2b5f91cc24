//! The front of every line.
//!
//! Owns one [`Head`] per line that has waiting work, and the bound over all of them. A line without a head
//! has nothing waiting. Never writes; opening rebuilds it.

use std::collections::HashMap;

use bide_store::StoreError;
use bide_store::planner::QueuePosition;
use bide_types::Line;

use crate::head::{Head, HeadLimits};

pub(crate) struct DueHeads {
    heads: HashMap<Line, Head>,
    limits: HeadLimits,
    /// Entries of all heads.
    total: usize,
}

/// Reads entries of one queue from disk: after a position, at most so many.
pub(crate) trait Source:
    FnMut(QueuePosition, usize) -> Result<Vec<QueuePosition>, StoreError>
{
}

impl<T: FnMut(QueuePosition, usize) -> Result<Vec<QueuePosition>, StoreError>> Source for T {}

impl DueHeads {
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self { heads: HashMap::new(), limits, total: 0 }
    }

    /// Starts with what only the disk knows of a line.
    pub(crate) fn add_unread(&mut self, line: &Line) {
        self.heads.insert(line.clone(), Head::unread());
    }

    pub(crate) fn insert(&mut self, line: &Line, position: QueuePosition) {
        let limits = self.limits;
        self.change(line, |head| head.insert(position, limits));
    }

    pub(crate) fn remove(&mut self, line: &Line, position: QueuePosition) {
        self.change(line, |head| head.remove(position));
    }

    pub(crate) fn read(
        &mut self,
        line: &Line,
        after: Option<QueuePosition>,
        max: usize,
        mut source: impl Source,
    ) -> Result<Vec<QueuePosition>, StoreError> {
        let limits = self.limits;
        match self.heads.contains_key(line) {
            true => self.change(line, |head| head.read(after, max, limits, &mut source)),
            false => Ok(Vec::new()),
        }
    }

    /// The first entry of a line; forgets the line if it has none.
    pub(crate) fn settle(
        &mut self,
        line: &Line,
        mut source: impl Source,
    ) -> Result<Option<QueuePosition>, StoreError> {
        if !self.heads.contains_key(line) {
            return Ok(None);
        }
        let limits = self.limits;
        let first = self.change(line, |head| head.settle(limits, &mut source))?;
        if first.is_none() {
            self.heads.remove(line);
        }
        Ok(first)
    }

    fn change<T>(&mut self, line: &Line, change: impl FnOnce(&mut Head) -> T) -> T {
        if !self.heads.contains_key(line) {
            self.heads.insert(line.clone(), Head::empty());
        }
        let head = self.heads.get_mut(line).expect("it was just made");
        self.total -= head.len();
        let result = change(head);
        self.total += head.len();
        // A head cannot be cut below one entry, so with very many lines their number is the bound.
        if self.total > self.limits.total.max(2 * self.heads.len()) {
            self.cut_all();
        }
        result
    }

    /// Shares half of the bound evenly, so that the next cut is far away.
    fn cut_all(&mut self) {
        let share = self.limits.total / 2 / self.heads.len().max(1);
        self.heads.values_mut().for_each(|head| head.cut(share));
        self.total = self.heads.values().map(Head::len).sum();
    }
}

#[cfg(test)]
mod tests;
