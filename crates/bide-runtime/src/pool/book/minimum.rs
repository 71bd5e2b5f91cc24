//! The minimum of instances that a function and qualifier keep ready (FC "ProvisionConfig").
//!
//! Owns when a missing one is started: at once, but with growing waits while starts fail or new instances die early, so
//! that broken code costs little. Whoever is within the minimum is never idle for reclaim.

use std::time::Duration;

use bide_types::{FunctionId, Qualifier};

use super::{Actions, Book, Key};
use crate::executor::ProvisionStatus;

/// First wait after a failed start; doubles up to the second.
const START_WAIT_FIRST: Duration = Duration::from_secs(1);
const START_WAIT_MAX: Duration = Duration::from_secs(60);
/// Failures this far apart have nothing to do with one another.
const FAILURES_FORGOTTEN: Duration = Duration::from_secs(300);
/// An instance that ends by itself within this time of its start counts as a failed start.
const EARLY_DEATH: Duration = Duration::from_secs(10);

/// What failed starts have taught.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
    last: Duration,
    /// Why the last start failed; `None` once one has succeeded.
    reason: Option<String>,
}

impl Patience {
    /// A start has ended, with the reason if it failed.
    pub(super) fn note(&mut self, failure: Option<String>, now: Duration) {
        if failure.is_some() {
            let forgotten = now.saturating_sub(self.last) >= FAILURES_FORGOTTEN;
            self.failures = if forgotten { 1 } else { self.failures.saturating_add(1) };
            self.last = now;
        }
        self.reason = failure;
    }

    fn is_over(&self, now: Duration) -> bool {
        let Some(doublings) = self.failures.checked_sub(1) else { return true };
        let wait = START_WAIT_FIRST.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
        now.saturating_sub(self.last) >= wait.min(START_WAIT_MAX)
    }
}

impl<I: Clone, W> Book<I, W> {
    /// Starts what is missing of a pool's minimum, as far as caps and patience allow now.
    pub(super) fn top_up(&mut self, key: &Key, now: Duration, actions: &mut Actions<I, W>) {
        while !self.closed
            && let Some(pool) = self.pools.get(key)
            && pool.lacking() > 0
            && pool.patience.is_over(now)
            && self.crowding < self.caps.starts
            && self.server_cap_reached(&pool.spec).is_none()
        {
            if self.add_member(key, 0, now, actions).is_none() {
                return;
            }
        }
    }

    /// A ready member has ended by itself.
    pub(crate) fn died(&mut self, key: &Key, number: u64, now: Duration) {
        let early = self
            .member_mut(key, number)
            .is_some_and(|member| !member.draining && now.saturating_sub(member.ready_since) < EARLY_DEATH);
        if early && let Some(pool) = self.pools.get_mut(key) {
            pool.patience.note(Some("the instance ended soon after its start".to_owned()), now);
        }
        self.gone(key, number);
    }

    pub(crate) fn provision_status(&self, function: FunctionId, qualifier: &Qualifier) -> ProvisionStatus {
        let mut pools = self.pools.iter().filter(|(key, pool)| {
            key.function == function && key.qualifier == *qualifier && pool.provisioned() > 0
        });
        let Some((_, pool)) = pools.next() else { return ProvisionStatus::default() };
        let ready = pool.members.iter().filter(|member| member.ready && !member.draining).count();
        let lacks = ready < pool.provisioned();
        let reason =
            pool.patience.reason.clone().or_else(|| Some(self.server_cap_reached(&pool.spec)?.reason));
        ProvisionStatus { current: ready.min(pool.provisioned()), error: reason.filter(|_| lacks) }
    }
}
