//! The front of every function's queue.
//!
//! Owns one [`Head`] per function that has waiting work, and the bound over all of them. A function without a head
//! has nothing waiting. Never writes; opening rebuilds it.

use std::collections::HashMap;

use bide_store::StoreError;
use bide_store::planner::QueuePosition;
use bide_types::FunctionId;

use crate::head::{Head, HeadLimits};

pub(crate) struct DueHeads {
    heads: HashMap<FunctionId, Head>,
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

    /// Starts with what only the disk knows of a function.
    pub(crate) fn add_unread(&mut self, function: FunctionId) {
        self.heads.insert(function, Head::unread());
    }

    pub(crate) fn insert(&mut self, function: FunctionId, position: QueuePosition) {
        let limits = self.limits;
        self.change(function, |head| head.insert(position, limits));
    }

    pub(crate) fn remove(&mut self, function: FunctionId, position: QueuePosition) {
        self.change(function, |head| head.remove(position));
    }

    pub(crate) fn read(
        &mut self,
        function: FunctionId,
        after: Option<QueuePosition>,
        max: usize,
        mut source: impl Source,
    ) -> Result<Vec<QueuePosition>, StoreError> {
        let limits = self.limits;
        match self.heads.contains_key(&function) {
            true => self.change(function, |head| head.read(after, max, limits, &mut source)),
            false => Ok(Vec::new()),
        }
    }

    /// The first entry of a function; forgets the function if it has none.
    pub(crate) fn settle(
        &mut self,
        function: FunctionId,
        mut source: impl Source,
    ) -> Result<Option<QueuePosition>, StoreError> {
        if !self.heads.contains_key(&function) {
            return Ok(None);
        }
        let limits = self.limits;
        let first = self.change(function, |head| head.settle(limits, &mut source))?;
        if first.is_none() {
            self.heads.remove(&function);
        }
        Ok(first)
    }

    fn change<T>(&mut self, function: FunctionId, change: impl FnOnce(&mut Head) -> T) -> T {
        let head = self.heads.entry(function).or_insert_with(Head::empty);
        self.total -= head.len();
        let result = change(head);
        self.total += head.len();
        // A head cannot be cut below one entry, so with very many functions their number is the bound.
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
