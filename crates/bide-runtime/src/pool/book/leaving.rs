//! Who has to leave: idle too long, of an old revision, unwell, or gone already.
//!
//! Owns the rule that whoever runs something finishes it first. Never stops anybody: the shell does.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use bide_types::{FunctionId, Qualifier};

use super::{Actions, Book, Key};
use crate::executor::Scale;
use crate::executor::Throttled;

impl<I: Clone, W> Book<I, W> {
    /// Takes out whoever has been idle for `idle_timeout`, the longest first, down to the minimum of each pool.
    pub(crate) fn reclaim(&mut self, now: Duration, idle_timeout: Duration) -> Actions<I, W> {
        let mut found = Vec::new();
        for (key, pool) in &self.pools {
            let mut idle: Vec<_> = pool
                .members
                .iter()
                .filter(|member| member.is_idle() && now.saturating_sub(member.idle_since) >= idle_timeout)
                .collect();
            idle.sort_unstable_by_key(|member| (Reverse(member.draining), member.idle_since));
            found.extend(idle.iter().take(pool.surplus()).map(|member| (key.clone(), member.number)));
        }
        let mut actions = Actions::default();
        for (key, number) in found {
            self.let_go(&key, number, &mut actions);
        }
        actions
    }

    /// Other versions of the function are gone: their present members finish what they run, and none is kept ready.
    pub(crate) fn retire_but(&mut self, function: FunctionId, versions: &[Qualifier]) -> Actions<I, W> {
        let mut actions = Actions::default();
        let is_gone = |key: &Key| key.function == function && !versions.contains(&key.qualifier);
        self.end_pools(is_gone, &mut actions);
        actions
    }

    /// The pools of the same function and qualifier whose instances reach another way are over.
    pub(super) fn leave_others(&mut self, present: &Key, actions: &mut Actions<I, W>) {
        let is_other = |key: &Key| {
            key.function == present.function && key.qualifier == present.qualifier && key != present
        };
        self.end_pools(is_other, actions);
    }

    fn end_pools(&mut self, is_over: impl Fn(&Key) -> bool, actions: &mut Actions<I, W>) {
        let keys: Vec<Key> = self.pools.keys().filter(|key| is_over(key)).cloned().collect();
        for key in keys {
            if let Some(pool) = self.pools.get_mut(&key) {
                let mut spec = pool.spec.as_ref().clone();
                spec.scale = Scale::default();
                pool.spec = spec.into();
            }
            self.renew(&key, actions);
            self.forget_if_empty(&key);
        }
    }

    /// All present members of a pool are of an old revision.
    pub(super) fn renew(&mut self, key: &Key, actions: &mut Actions<I, W>) {
        let Some(pool) = self.pools.get_mut(key) else { return };
        pool.patience = Default::default();
        pool.members.iter_mut().for_each(|member| member.draining = true);
        let numbers: Vec<u64> = pool.members.iter().map(|member| member.number).collect();
        for number in numbers {
            self.leave_if_drained(key, number, actions);
        }
    }

    /// Has a pool keep to its caps when they were lowered: idle members leave first, and where none is allowed at all
    /// nobody waits.
    pub(super) fn shrink(&mut self, key: &Key, actions: &mut Actions<I, W>) {
        let Some(pool) = self.pools.get_mut(key) else { return };
        let Some(max) = pool.instances_max() else { return };
        let mut present: Vec<_> = pool.members.iter_mut().filter(|member| !member.draining).collect();
        present.sort_unstable_by_key(|member| (Reverse(member.busy), member.number));
        let mut excess = Vec::new();
        for member in present.into_iter().skip(max) {
            member.draining = true;
            excess.push(member.number);
        }
        let waiters = if max == 0 { std::mem::take(&mut pool.waiters) } else { Default::default() };
        let spec = Arc::clone(&self.pools[key].spec);
        let throttled = self.cap_reached(&spec).unwrap_or_else(Throttled::closing);
        actions.turned_away.extend(waiters.into_iter().map(|waiter| (waiter, throttled.clone())));
        for number in excess {
            self.leave_if_drained(key, number, actions);
        }
    }

    /// A member is not well: it finishes what it runs and is replaced, unless it is leaving already.
    pub(crate) fn condemn(&mut self, key: &Key, number: u64, now: Duration) -> Actions<I, W> {
        let mut actions = Actions::default();
        let Some(member) = self.member_mut(key, number).filter(|member| !member.draining) else {
            return actions;
        };
        member.draining = true;
        self.unwell += 1;
        self.leave_if_drained(key, number, &mut actions);
        actions.extend(self.settle(now));
        actions
    }

    /// Members that have been idle for `after` and have not been sent to rest since, of functions that ask to be told.
    pub(crate) fn send_to_rest(&mut self, now: Duration, after: Duration) -> Vec<I> {
        let mut tired = Vec::new();
        for pool in self.pools.values_mut().filter(|pool| pool.spec.function.pre_freeze.is_some()) {
            for member in pool.members.iter_mut().filter(|member| member.is_idle() && !member.resting) {
                if now.saturating_sub(member.idle_since) >= after {
                    member.resting = true;
                    tired.push(member.instance.clone());
                }
            }
        }
        tired
    }

    /// Lets a draining member go if it runs nothing any more.
    pub(super) fn leave_if_drained(&mut self, key: &Key, number: u64, actions: &mut Actions<I, W>) {
        if self.member_mut(key, number).is_some_and(|member| member.draining && member.is_idle()) {
            self.let_go(key, number, actions);
        }
    }

    fn let_go(&mut self, key: &Key, number: u64, actions: &mut Actions<I, W>) {
        actions.stop.extend(self.member_mut(key, number).map(|member| member.instance.clone()));
        self.gone(key, number);
    }

    /// The member is gone: it failed to start, died, or was stopped for a reason of its own.
    pub(super) fn gone(&mut self, key: &Key, number: u64) {
        let Some(pool) = self.pools.get_mut(key) else { return };
        let Some(at) = pool.members.iter().position(|member| member.number == number) else { return };
        let member = pool.members.swap_remove(at);
        let account = pool.spec.function.account.clone();
        self.uncount(key.function, &account);
        debug_assert!(member.ready, "a start is not given up: it ends");
        self.forget_if_empty(key);
    }
}
