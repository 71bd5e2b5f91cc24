//! The balance of one function: everything accepted is somewhere.
//!
//! Owns the classification of states into buckets and the arithmetic. The store keeps one ledger per function in the
//! same batch as the records, and `bide verify` counts it again.

use crate::invocation::{Invocation, State};
use crate::settlement::Outcome;

/// Where an accepted invocation is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// Enqueued with a delay asked for, not dequeued yet.
    Deferred,
    /// In line, or refused and in line again.
    Queued,
    Running,
    Retrying,
    Succeeded,
    Failed,
    Stopped,
    Expired,
    Invalid,
}

impl Bucket {
    pub const ALL: [Self; 9] = [
        Self::Deferred,
        Self::Queued,
        Self::Running,
        Self::Retrying,
        Self::Succeeded,
        Self::Failed,
        Self::Stopped,
        Self::Expired,
        Self::Invalid,
    ];

    pub fn of(invocation: &Invocation) -> Self {
        match &invocation.state {
            State::Enqueued if invocation.is_deferred() => Self::Deferred,
            State::Enqueued | State::Dequeued { .. } | State::Backoff { .. } => Self::Queued,
            State::Running { .. } | State::Stopping { .. } => Self::Running,
            State::Retrying { .. } => Self::Retrying,
            State::Settled(settlement) => match settlement.outcome {
                Outcome::Succeeded => Self::Succeeded,
                Outcome::Failed { .. } => Self::Failed,
                Outcome::Stopped => Self::Stopped,
                Outcome::Expired => Self::Expired,
                Outcome::Invalid { .. } => Self::Invalid,
            },
        }
    }

    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Stopped | Self::Expired | Self::Invalid)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Deferred => "deferred",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Retrying => "retrying",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// Counts of one function since it was created; settled buckets only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    pub accepted: u64,
    counts: [u64; Bucket::ALL.len()],
}

impl Ledger {
    /// A ledger as stored; `counts` in the order of [`Bucket::ALL`].
    pub fn from_parts(accepted: u64, counts: [u64; Bucket::ALL.len()]) -> Self {
        Self { accepted, counts }
    }

    pub fn counts(&self) -> &[u64; Bucket::ALL.len()] {
        &self.counts
    }

    pub fn get(&self, bucket: Bucket) -> u64 {
        self.counts[bucket.index()]
    }

    /// Counts a newly accepted invocation.
    pub fn accept(&mut self, bucket: Bucket) {
        self.accepted += 1;
        self.counts[bucket.index()] += 1;
    }

    /// Moves one invocation between buckets.
    ///
    /// # Panics
    /// If `from` is empty: the ledger no longer tells the truth.
    pub fn shift(&mut self, from: Bucket, to: Bucket) {
        let source = &mut self.counts[from.index()];
        *source = source.checked_sub(1).expect("an invocation leaves only the bucket that counts it");
        self.counts[to.index()] += 1;
    }

    /// Invocations that are not settled.
    pub fn open(&self) -> u64 {
        Bucket::ALL.iter().filter(|bucket| !bucket.is_settled()).map(|bucket| self.get(*bucket)).sum()
    }

    /// Whether everything accepted is in exactly one bucket.
    pub fn balances(&self) -> bool {
        self.accepted == self.counts.iter().sum::<u64>()
    }
}

#[cfg(test)]
mod tests;
