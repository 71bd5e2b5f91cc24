//! How many instances may be added, and what is counted for that.
//!
//! Owns the caps per function, account and start. Never adds anything itself.

use std::time::Duration;

use bide_types::{AccountId, FunctionId};

use super::{Book, Key};

impl<I: Clone, W> Book<I, W> {
    /// Instances that may be started for `key` now.
    pub(super) fn growth(&self, key: &Key, account: &AccountId, now: Duration) -> usize {
        let of_function = self.count_of_function(key.function);
        let of_account = self.count_of_account(account);
        let mut account_room = self.caps.per_account.saturating_sub(of_account);
        if account_room == 0 && self.evictable(account, key).is_some() {
            account_room = 1;
        }
        let room = self.caps.per_function.saturating_sub(of_function).min(account_room);
        let room = room.min(self.caps.starts.saturating_sub(self.crowding));
        let pool = self.pools.get(key);
        if pool.is_some_and(|pool| pool.has_short_runs(now)) {
            return room.min(self.caps.free_growth.saturating_sub(of_function));
        }
        room
    }

    /// The member of another pool of the account that has been idle longest.
    pub(super) fn evictable(&self, account: &AccountId, spared: &Key) -> Option<(Key, u64)> {
        let pools = self.pools.iter().filter(|(key, pool)| pool.account == *account && *key != spared);
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
