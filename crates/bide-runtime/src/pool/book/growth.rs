//! How many instances may be added, and what is counted for that.
//!
//! Owns the caps: of the server per function, account and start; of a function's on-demand configuration. Never adds
//! anything itself. Beyond twice the number of cores a function grows only while its runs are long enough
//! (`members::SHORT_RUN`): a flood of calls that do nothing is served fastest by few instances, and forking a hundred
//! interpreters on two cores would stall everything. Runs that do not end count as long (`members::GROWTH_PATIENCE`).

use std::time::Duration;

use bide_types::{AccountId, FunctionId};

use super::{Book, Key};
use crate::executor::{Cap, FunctionSpec, Throttled};

/// Caps of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) per_function: usize,
    pub(crate) per_account: usize,
    /// Starts at a time, of all functions.
    pub(crate) starts: usize,
    /// Instances of one function that need no justification.
    pub(crate) free_growth: usize,
}

impl<I: Clone, W> Book<I, W> {
    /// Whether a request may have an instance started for it now.
    pub(super) fn may_grow(&self, key: &Key, now: Duration) -> bool {
        let Some(pool) = self.pools.get(key) else { return false };
        let justified =
            !pool.has_short_runs(now) || self.count_of_function(key.function) < self.caps.free_growth;
        justified && self.crowding < self.caps.starts && self.cap_reached(&pool.spec).is_none()
    }

    /// The hard cap that keeps a function from having one more instance, in words; `None` if there is room.
    pub(super) fn cap_reached(&self, spec: &FunctionSpec) -> Option<Throttled> {
        let pool = self.pools.get(&Key::of(spec));
        let spec = pool.map_or(spec, |pool| &pool.spec);
        let members = pool.map_or(0, |pool| pool.members.len());
        let scale = spec.scale;
        if let Some(on_demand) = scale.on_demand_max
            && members >= scale.instances_max().unwrap_or(usize::MAX)
        {
            let reason = format!(
                "the on-demand configuration of qualifier {} allows {on_demand} instances beside the {} provisioned",
                spec.qualifier, scale.provisioned
            );
            return Some(Throttled { cap: Cap::Function, reason });
        }
        self.server_cap_reached(spec)
    }

    /// The same for the caps of the server alone, which hold for provisioned instances as well.
    pub(super) fn server_cap_reached(&self, spec: &FunctionSpec) -> Option<Throttled> {
        let Caps { per_function, per_account, .. } = self.caps;
        if self.count_of_function(spec.function.id) >= per_function {
            let reason = format!("the function has reached its limit of {per_function} instances");
            return Some(Throttled { cap: Cap::Function, reason });
        }
        let account = &spec.function.account;
        let full = self.count_of_account(account) >= per_account;
        if full && self.evictable(account, &Key::of(spec)).is_none() {
            let reason = format!("the account has reached its limit of {per_account} instances");
            return Some(Throttled { cap: Cap::Account, reason });
        }
        None
    }

    /// The member of another pool of the account that has been idle longest, beyond the minimum of its pool.
    pub(super) fn evictable(&self, account: &AccountId, spared: &Key) -> Option<(Key, u64)> {
        let pools = self.pools.iter().filter(|(key, pool)| {
            pool.spec.function.account == *account && *key != spared && pool.surplus() > 0
        });
        let members = pools.flat_map(|(key, pool)| pool.members.iter().map(move |member| (key, member)));
        members
            .filter(|(_, member)| member.is_idle())
            .min_by_key(|(_, member)| member.idle_since)
            .map(|(key, member)| (key.clone(), member.number))
    }

    pub(super) fn count_of_function(&self, function: FunctionId) -> usize {
        self.per_function.get(&function).copied().unwrap_or(0)
    }

    pub(super) fn count_of_account(&self, account: &AccountId) -> usize {
        self.per_account.get(account).copied().unwrap_or(0)
    }

    pub(super) fn uncount(&mut self, function: FunctionId, account: &AccountId) {
        let left = |count: Option<&mut usize>| {
            count.is_some_and(|count| {
                *count -= 1;
                *count == 0
            })
        };
        if left(self.per_function.get_mut(&function)) {
            self.per_function.remove(&function);
        }
        if left(self.per_account.get_mut(account)) {
            self.per_account.remove(account);
        }
    }
}
