//! Handing out slots: to whoever asks, and to the line of those who wait.
//!
//! Owns who is served next. A slot is taken of the most recently used member that has one, or of a new one (`starting`).

use std::sync::Arc;
use std::time::Duration;

use super::members::Pool;
use super::{Actions, Book, Grant, Key};
use crate::executor::{Cap, FunctionSpec, Throttled};

/// Longest line of synchronous calls of one function and qualifier.
const WAITERS_MAX: usize = 10_000;

impl<I: Clone, W> Book<I, W> {
    /// Takes a slot now.
    pub(crate) fn take(
        &mut self,
        spec: &Arc<FunctionSpec>,
        now: Duration,
    ) -> (Option<Grant<I>>, Actions<I, W>) {
        let mut actions = Actions::default();
        let key = Key::of(spec);
        if self.closed {
            return (None, actions);
        }
        self.follow(spec, now, &mut actions);
        let pool = self.pools.get_mut(&key).expect("follow has made it");
        if !pool.waiters.is_empty() && !pool.turns.ask() {
            self.refused.insert(key.function);
            return (None, actions);
        }
        let grant = self.take_from(&key, now, &mut actions);
        let Some(pool) = self.pools.get_mut(&key) else { return (grant, actions) };
        if grant.is_none() {
            // Time brings nothing to a function that may have no instances; a new configuration tells of itself.
            if pool.instances_max() != Some(0) {
                self.refused.insert(key.function);
            }
            self.forget_if_empty(&key);
        } else if !pool.waiters.is_empty() {
            pool.turns.asker_served();
            self.serve_line(&key, now, &mut actions);
        }
        (grant, actions)
    }

    /// Makes the pool of a function, or has it follow a newer revision.
    fn follow(&mut self, spec: &Arc<FunctionSpec>, now: Duration, actions: &mut Actions<I, W>) {
        let key = Key::of(spec);
        let newer = |pool: &&mut Pool<I, W>| spec.function.revision > pool.spec.function.revision;
        if let Some(pool) = self.pools.get_mut(&key).filter(newer) {
            pool.spec = Arc::clone(spec);
            self.renew(&key, actions);
        }
        // Also anew, if nobody of the old revision was busy.
        self.pools.entry(key).or_insert_with(|| Pool::on_demand(spec, now));
    }

    /// Whether somebody waits for a slot of this function.
    pub(crate) fn has_line(&self, spec: &FunctionSpec) -> bool {
        self.pools.get(&Key::of(spec)).is_some_and(|pool| !pool.waiters.is_empty())
    }

    /// Whether somebody who found no slot may wait in line.
    pub(crate) fn may_wait(&self, spec: &FunctionSpec) -> Result<(), Throttled> {
        if self.closed {
            return Err(Throttled::closing());
        }
        if let Some(cap) = self.cap_reached(spec) {
            return Err(cap);
        }
        if self.pools.get(&Key::of(spec)).is_some_and(|pool| pool.waiters.len() >= WAITERS_MAX) {
            let reason = format!("{WAITERS_MAX} calls of the function are waiting already");
            return Err(Throttled { cap: Cap::Line, reason });
        }
        Ok(())
    }

    /// Puts somebody at the end of the line; call after [`Book::may_wait`].
    pub(crate) fn wait(&mut self, spec: &Arc<FunctionSpec>, now: Duration, waiter: W) {
        let pool = self.pools.entry(Key::of(spec)).or_insert_with(|| Pool::on_demand(spec, now));
        pool.waiters.push_back(waiter);
    }

    /// A slot is free again, and goes to whoever waits. `run` is how long the handler ran, `None` if it did not; a member
    /// that is not `usable` takes nothing new, and counts until its last slot is given back.
    pub(crate) fn release(
        &mut self,
        key: &Key,
        number: u64,
        now: Duration,
        run: Option<Duration>,
        usable: bool,
    ) -> Actions<I, W> {
        let mut actions = Actions::default();
        if let Some(pool) = self.pools.get_mut(key) {
            pool.note_end(now, run);
        }
        if let Some(member) = self.member_mut(key, number) {
            member.busy -= 1;
            member.idle_since = now;
            if usable || !member.ready {
                self.leave_if_drained(key, number, &mut actions);
            } else if member.busy > 0 {
                member.draining = true;
            } else {
                self.gone(key, number);
            }
        }
        self.top_up(key, now, &mut actions);
        self.serve_line(key, now, &mut actions);
        self.refused.remove(&key.function);
        actions.grown.push(key.function);
        actions
    }

    /// Serves whoever waits and can be served, of any function, starts what is missing of the minimums, and tells who
    /// was refused before.
    pub(crate) fn settle(&mut self, now: Duration) -> Actions<I, W> {
        let mut actions = Actions::default();
        if self.closed {
            return actions;
        }
        let lacking = self.pools.iter().filter(|(_, pool)| pool.lacking() > 0 || !pool.waiters.is_empty());
        let lacking: Vec<Key> = lacking.map(|(key, _)| key.clone()).collect();
        for key in &lacking {
            self.top_up(key, now, &mut actions);
        }
        for key in &lacking {
            self.serve_line(key, now, &mut actions);
        }
        actions.grown.extend(self.refused.drain());
        actions
    }

    pub(super) fn serve_line(&mut self, key: &Key, now: Duration, actions: &mut Actions<I, W>) {
        while let Some(waiter) = self.next_in_line(key, now) {
            if (self.has_left)(&waiter) {
                continue;
            }
            let grant = self.take_from(key, now, actions);
            let pool = self.pools.get_mut(key).expect("its line was just read");
            match grant {
                Some(grant) => {
                    pool.turns.line_served();
                    actions.grants.push((waiter, grant));
                }
                None => {
                    pool.waiters.push_front(waiter);
                    return;
                }
            }
        }
        self.forget_if_empty(key);
    }

    fn next_in_line(&mut self, key: &Key, now: Duration) -> Option<W> {
        let pool = self.pools.get_mut(key)?;
        if pool.waiters.is_empty() || !pool.turns.is_lines_turn(now) {
            None
        } else {
            pool.waiters.pop_front()
        }
    }

    fn take_from(&mut self, key: &Key, now: Duration, actions: &mut Actions<I, W>) -> Option<Grant<I>> {
        let pool = self.pools.get_mut(key)?;
        if let Some(at) = pool.best_free() {
            let spec = Arc::clone(&pool.spec);
            let member = &mut pool.members[at];
            member.busy += 1;
            member.resting = false;
            let (instance, cold) = (member.instance.clone(), !member.ready);
            return Some(Grant { key: key.clone(), spec, instance, cold });
        }
        if !self.may_grow(key, now) {
            return None;
        }
        let spec = Arc::clone(&self.pools[key].spec);
        let instance = self.add_member(key, 1, now, actions)?;
        Some(Grant { key: key.clone(), spec, instance, cold: true })
    }
}
