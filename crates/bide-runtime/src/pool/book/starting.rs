//! New members, from the decision to start one until its start has ended.
//!
//! Owns the count of starts under way. A start that takes long waits for something more than it works, so it no longer
//! counts against `starts`: a function that never comes up must not keep all the others from starting.

use std::sync::Arc;
use std::time::Duration;

use super::members::Member;
use super::{Actions, Book, Key, Start};

impl<I: Clone, W> Book<I, W> {
    /// Adds a member with `busy` slots taken; at the cap of the account an idle member of another pool makes room, and
    /// there is none if nobody can.
    pub(super) fn add_member(
        &mut self,
        key: &Key,
        busy: usize,
        now: Duration,
        actions: &mut Actions<I, W>,
    ) -> Option<I> {
        let spec = Arc::clone(&self.pools.get(key)?.spec);
        let account = spec.function.account.clone();
        if self.count_of_account(&account) >= self.caps.per_account {
            let (other, number) = self.evictable(&account, key)?;
            let evicted = self.member_mut(&other, number).map(|member| member.instance.clone());
            actions.stop.extend(evicted);
            self.gone(&other, number);
        }
        let number = self.next_member;
        self.next_member += 1;
        let instance = (self.create)(number);
        *self.per_function.entry(key.function).or_insert(0) += 1;
        *self.per_account.entry(account).or_insert(0) += 1;
        self.starting += 1;
        self.crowding += 1;
        let pool = self.pools.get_mut(key).expect("looked up above; eviction spares this key");
        pool.members.push(Member::starting(number, instance.clone(), busy, now));
        actions.start.push(Start { key: key.clone(), spec, instance: instance.clone() });
        Some(instance)
    }

    /// A start has ended, with the reason if it failed. A member that nobody wants any more is given back to be stopped.
    pub(crate) fn started(
        &mut self,
        key: &Key,
        number: u64,
        now: Duration,
        failure: Option<String>,
    ) -> Actions<I, W> {
        let mut actions = Actions::default();
        self.starting -= 1;
        self.uncrowd(key, number);
        let Some(member) = self.member_mut(key, number) else { return actions };
        member.ready = true;
        member.ready_since = now;
        member.idle_since = now;
        let draining = member.draining;
        let failed = failure.is_some();
        if let Some(pool) = self.pools.get_mut(key).filter(|_| !draining) {
            pool.patience.note(failure, now);
        }
        if failed {
            self.gone(key, number);
        } else {
            self.leave_if_drained(key, number, &mut actions);
        }
        actions
    }

    /// A start takes long: makes room for others.
    pub(crate) fn start_is_slow(&mut self, key: &Key, number: u64, now: Duration) -> Actions<I, W> {
        self.uncrowd(key, number);
        self.settle(now)
    }

    fn uncrowd(&mut self, key: &Key, number: u64) {
        if self.member_mut(key, number).is_some_and(|member| std::mem::take(&mut member.crowding)) {
            self.crowding -= 1;
        }
    }
}
