//! The book of all instances: who may be started, who serves, who is idle, who waits.
//!
//! Owns the policy, as plain synchronous code without locks, clocks or processes: every change returns the [`Actions`]
//! that the shell then carries out. Generic over the instance, so that tests need none. Nothing survives a crash.
//!
//! Growth (`growth`): a new instance is started when no slot is free, within the caps per function and account and at most
//! `starts_max` at a time. Beyond twice the number of cores a function grows only while its runs are long enough
//! (`members::SHORT_RUN`): a flood of calls that do nothing is served fastest by few instances, and forking a hundred
//! interpreters on two cores would stall everything. Runs that do not end count as long (`members::GROWTH_PATIENCE`).
//! A start that takes long waits for something more than it works, so it no longer counts against `starts_max`: a
//! function that never comes up must not keep all the others from starting.

mod growth;
mod leaving;
mod line;
mod members;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bide_types::{AccountId, FunctionId, Qualifier};

use crate::executor::{ExecutorStats, FunctionSpec, Throttled};
use members::{Member, Pool};

/// Longest line of synchronous calls of one function and qualifier.
const WAITERS_MAX: usize = 10_000;

/// Caps of one server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caps {
    pub(crate) per_function: usize,
    pub(crate) per_account: usize,
    pub(crate) starts: usize,
    /// Instances of one function that need no justification.
    pub(crate) free_growth: usize,
}

/// Instances of one key are interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) function: FunctionId,
    pub(crate) revision: u64,
    pub(crate) qualifier: Qualifier,
    /// A call that was resolved before its service changed must not get an instance that reaches further, or less far.
    pub(crate) internet_access: bool,
}

impl Key {
    pub(crate) fn of(spec: &FunctionSpec) -> Self {
        Self {
            function: spec.function.id,
            revision: spec.function.revision,
            qualifier: spec.qualifier.clone(),
            internet_access: spec.internet_access,
        }
    }
}

/// A slot taken from one member.
#[derive(Debug)]
pub(crate) struct Grant<I> {
    pub(crate) key: Key,
    pub(crate) instance: I,
    /// The member was not ready when the slot was taken.
    pub(crate) cold: bool,
    /// The member is new: somebody has to start it.
    pub(crate) start: bool,
}

/// What the shell has to do after a change.
#[derive(Debug)]
pub(crate) struct Actions<I, W> {
    pub(crate) grants: Vec<(W, Grant<I>)>,
    pub(crate) stop: Vec<I>,
    /// Functions whose capacity may have grown.
    pub(crate) grown: Vec<FunctionId>,
}

impl<I, W> Default for Actions<I, W> {
    fn default() -> Self {
        Self { grants: Vec::new(), stop: Vec::new(), grown: Vec::new() }
    }
}

impl<I, W> Actions<I, W> {
    pub(crate) fn extend(&mut self, other: Self) {
        self.grants.extend(other.grants);
        self.stop.extend(other.stop);
        self.grown.extend(other.grown);
    }
}

/// The book. `I` stands for an instance (cheap to clone), `W` for somebody who waits.
pub(crate) struct Book<I, W> {
    caps: Caps,
    create: Box<dyn Fn(u64) -> I + Send>,
    /// Whether somebody who waits has left.
    has_left: Box<dyn Fn(&W) -> bool + Send>,
    pools: HashMap<Key, Pool<I, W>>,
    per_function: HashMap<FunctionId, usize>,
    per_account: HashMap<AccountId, usize>,
    starting: usize,
    /// Of these, those that count against the cap on starts.
    crowding: usize,
    next_member: u64,
    /// Functions that were refused a slot since they were last told of capacity.
    refused: HashSet<FunctionId>,
    closed: bool,
}

impl<I: Clone, W> Book<I, W> {
    /// `create` makes the instance of a new member, by its number.
    pub(crate) fn new(
        caps: Caps,
        create: impl Fn(u64) -> I + Send + 'static,
        has_left: impl Fn(&W) -> bool + Send + 'static,
    ) -> Self {
        Self {
            caps,
            create: Box::new(create),
            has_left: Box::new(has_left),
            pools: HashMap::new(),
            per_function: HashMap::new(),
            per_account: HashMap::new(),
            starting: 0,
            crowding: 0,
            next_member: 0,
            refused: HashSet::new(),
            closed: false,
        }
    }

    /// Takes a slot now, of the most recently used member that has one, or of a new one.
    pub(crate) fn take(
        &mut self,
        spec: &Arc<FunctionSpec>,
        now: Duration,
    ) -> (Option<Grant<I>>, Actions<I, W>) {
        let mut actions = Actions::default();
        let key = Key::of(spec);
        let behind_line = match self.pools.get_mut(&key) {
            Some(pool) if !pool.waiters.is_empty() => !pool.turns.ask(),
            _ => false,
        };
        if self.closed || behind_line {
            self.refused.insert(key.function);
            return (None, actions);
        }
        if !self.pools.contains_key(&key) {
            self.drain_older(&key, &mut actions);
            self.pools.insert(key.clone(), Pool::new(spec, now));
        }
        let grant = self.take_from(&key, now, &mut actions);
        if grant.is_none() {
            self.refused.insert(key.function);
            self.forget_if_empty(&key);
        } else if let Some(pool) = self.pools.get_mut(&key).filter(|pool| !pool.waiters.is_empty()) {
            pool.turns.asker_served();
            self.serve_line(&key, now, &mut actions);
        }
        (grant, actions)
    }

    /// Whether somebody waits for a slot of this function.
    pub(crate) fn has_line(&self, spec: &FunctionSpec) -> bool {
        self.pools.get(&Key::of(spec)).is_some_and(|pool| !pool.waiters.is_empty())
    }

    /// Whether somebody who found no slot may wait in line.
    pub(crate) fn may_wait(&self, spec: &FunctionSpec) -> Result<(), Throttled> {
        let throttled = |reason: String| Err(Throttled { reason });
        if self.closed {
            return throttled("the server is shutting down".to_owned());
        }
        let Caps { per_function, per_account, .. } = self.caps;
        if self.count_of_function(spec.function.id) >= per_function {
            return throttled(format!("the function has reached its limit of {per_function} instances"));
        }
        let account = &spec.function.account;
        if self.count_of_account(account) >= per_account && self.evictable(account, &Key::of(spec)).is_none()
        {
            return throttled(format!("the account has reached its limit of {per_account} instances"));
        }
        if self.pools.get(&Key::of(spec)).is_some_and(|pool| pool.waiters.len() >= WAITERS_MAX) {
            return throttled(format!("{WAITERS_MAX} calls of the function are waiting already"));
        }
        Ok(())
    }

    /// Puts somebody at the end of the line; call after [`Book::may_wait`].
    pub(crate) fn wait(&mut self, spec: &Arc<FunctionSpec>, now: Duration, waiter: W) {
        let pool = self.pools.entry(Key::of(spec)).or_insert_with(|| Pool::new(spec, now));
        pool.waiters.push_back(waiter);
    }

    /// A start has ended. A member that nobody wants any more is given back to be stopped.
    pub(crate) fn started(
        &mut self,
        key: &Key,
        number: u64,
        now: Duration,
        succeeded: bool,
    ) -> Actions<I, W> {
        let mut actions = Actions::default();
        self.starting -= 1;
        self.uncrowd(key, number);
        let Some(member) = self.member_mut(key, number) else { return actions };
        member.ready = true;
        member.idle_since = now;
        if !succeeded {
            self.gone(key, number);
        } else if member.draining && member.busy == 0 {
            actions.stop.push(member.instance.clone());
            self.gone(key, number);
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

    /// The member is gone: it failed to start, died, or was stopped for a reason of its own.
    pub(crate) fn gone(&mut self, key: &Key, number: u64) {
        let Some(pool) = self.pools.get_mut(key) else { return };
        let Some(at) = pool.members.iter().position(|member| member.number == number) else { return };
        let member = pool.members.swap_remove(at);
        let account = pool.account.clone();
        self.uncount(key.function, &account);
        debug_assert!(member.ready, "a start is not given up: it ends");
        self.forget_if_empty(key);
    }

    /// A slot is free again. `run` is how long the handler ran, `None` if it did not; a member that is not `usable`
    /// leaves.
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
        let Some(member) = self.member_mut(key, number) else { return actions };
        member.busy -= 1;
        member.idle_since = now;
        if !usable && member.ready {
            self.gone(key, number);
        } else if member.draining && member.busy == 0 && member.ready {
            actions.stop.push(member.instance.clone());
            self.gone(key, number);
        }
        actions
    }

    /// Serves whoever waits and can be served, of any function, and tells who was refused before.
    pub(crate) fn settle(&mut self, now: Duration) -> Actions<I, W> {
        let mut actions = Actions::default();
        let waiting: Vec<Key> = self
            .pools
            .iter()
            .filter(|(_, pool)| !pool.waiters.is_empty())
            .map(|(key, _)| key.clone())
            .collect();
        for key in waiting {
            self.serve_line(&key, now, &mut actions);
        }
        actions.grown.extend(self.refused.drain());
        actions
    }

    /// Serves the line of the pool in which a slot was freed.
    pub(crate) fn freed(&mut self, key: &Key, now: Duration, actions: &mut Actions<I, W>) {
        self.serve_line(key, now, actions);
        self.refused.remove(&key.function);
        actions.grown.push(key.function);
    }

    fn serve_line(&mut self, key: &Key, now: Duration, actions: &mut Actions<I, W>) {
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
    }

    fn next_in_line(&mut self, key: &Key, now: Duration) -> Option<W> {
        let pool = self.pools.get_mut(key)?;
        if pool.waiters.is_empty() || !pool.turns.is_lines_turn(now) {
            None
        } else {
            pool.waiters.pop_front()
        }
    }

    /// Refuses everything from now on; gives back all members and everybody who waits.
    pub(crate) fn close(&mut self) -> (Vec<I>, Vec<W>) {
        self.closed = true;
        let mut instances = Vec::new();
        let mut waiters = Vec::new();
        for (_, pool) in self.pools.drain() {
            instances
                .extend(pool.members.into_iter().filter(|member| member.ready).map(|member| member.instance));
            waiters.extend(pool.waiters);
        }
        self.per_account.clear();
        self.per_function.clear();
        (instances, waiters)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether somebody waits for capacity that only time may bring.
    pub(crate) fn is_wanting(&self) -> bool {
        !self.refused.is_empty() || self.pools.values().any(|pool| !pool.waiters.is_empty())
    }

    /// Every member that is ready.
    pub(crate) fn ready(&self) -> Vec<I> {
        let members = self.pools.values().flat_map(|pool| &pool.members);
        members.filter(|member| member.ready).map(|member| member.instance.clone()).collect()
    }

    pub(crate) fn starting(&self) -> usize {
        self.starting
    }

    pub(crate) fn stats(&self) -> ExecutorStats {
        let members = || self.pools.values().flat_map(|pool| &pool.members);
        ExecutorStats {
            instances: members().count(),
            starting: self.starting,
            busy: members().map(|member| member.busy).sum(),
            waiting: self.pools.values().map(|pool| pool.waiters.len()).sum(),
        }
    }

    fn take_from(&mut self, key: &Key, now: Duration, actions: &mut Actions<I, W>) -> Option<Grant<I>> {
        let pool = self.pools.get_mut(key)?;
        if let Some(at) = pool.best_free() {
            let member = &mut pool.members[at];
            member.busy += 1;
            let (instance, cold) = (member.instance.clone(), !member.ready);
            return Some(Grant { key: key.clone(), instance, cold, start: false });
        }
        let account = pool.account.clone();
        if self.growth(key, &account, now) == 0 {
            return None;
        }
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
        pool.members.push(Member {
            number,
            instance: instance.clone(),
            ready: false,
            crowding: true,
            draining: false,
            busy: 1,
            idle_since: now,
        });
        Some(Grant { key: key.clone(), instance, cold: true, start: true })
    }

    fn member_mut(&mut self, key: &Key, number: u64) -> Option<&mut Member<I>> {
        self.pools.get_mut(key)?.members.iter_mut().find(|member| member.number == number)
    }

    fn forget_if_empty(&mut self, key: &Key) {
        if self.pools.get(key).is_some_and(|pool| pool.members.is_empty() && pool.waiters.is_empty()) {
            self.pools.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
