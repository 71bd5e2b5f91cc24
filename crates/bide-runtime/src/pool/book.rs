//! The book of all instances: who may be started, who serves, who is idle, who waits.
//!
//! Owns the policy, as plain synchronous code without locks, clocks or processes: every change returns the [`Actions`]
//! that the shell then carries out. Generic over the instance, so that tests need none. Nothing survives a crash: the
//! engine assigns the functions with a minimum again at the next start.
//!
//! A pool exists per function, version and way its instances reach, and follows the newest revision that was seen: its
//! members of an older one finish what they run, and everybody who waits is served by the new ones. `serving` hands out
//! slots, `starting` adds members, `growth` says within which caps, `minimum` how many are kept ready, `leaving` who has to
//! go.

mod growth;
mod leaving;
mod line;
mod members;
mod minimum;
mod serving;
mod starting;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bide_types::{AccountId, FunctionId, Qualifier};

use crate::executor::{ExecutorStats, FunctionSpec, Throttled};
pub(crate) use growth::Caps;
use members::{Member, Pool};

/// Names a pool; its members of the newest revision are interchangeable.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) function: FunctionId,
    /// `LATEST` or a version.
    pub(crate) qualifier: Qualifier,
    /// A call that was resolved before its service changed must not get an instance that reaches further, or less far.
    pub(crate) internet_access: bool,
}

impl Key {
    pub(crate) fn of(spec: &FunctionSpec) -> Self {
        Self {
            function: spec.function.id,
            qualifier: spec.qualifier.clone(),
            internet_access: spec.internet_access,
        }
    }
}

/// A slot taken from one member.
#[derive(Debug)]
pub(crate) struct Grant<I> {
    pub(crate) key: Key,
    pub(crate) spec: Arc<FunctionSpec>,
    pub(crate) instance: I,
    /// The member was not ready when the slot was taken.
    pub(crate) cold: bool,
}

/// A new member that somebody has to start.
#[derive(Debug)]
pub(crate) struct Start<I> {
    pub(crate) key: Key,
    pub(crate) spec: Arc<FunctionSpec>,
    pub(crate) instance: I,
}

/// What the shell has to do after a change, the starts first.
#[derive(Debug)]
pub(crate) struct Actions<I, W> {
    pub(crate) start: Vec<Start<I>>,
    pub(crate) grants: Vec<(W, Grant<I>)>,
    /// Whoever waits in vain from now on, and why.
    pub(crate) turned_away: Vec<(W, Throttled)>,
    pub(crate) stop: Vec<I>,
    /// Functions whose capacity may have grown.
    pub(crate) grown: Vec<FunctionId>,
}

impl<I, W> Default for Actions<I, W> {
    fn default() -> Self {
        Self {
            start: Vec::new(),
            grants: Vec::new(),
            turned_away: Vec::new(),
            stop: Vec::new(),
            grown: Vec::new(),
        }
    }
}

impl<I, W> Actions<I, W> {
    pub(crate) fn extend(&mut self, other: Self) {
        self.start.extend(other.start);
        self.grants.extend(other.grants);
        self.turned_away.extend(other.turned_away);
        self.stop.extend(other.stop);
        self.grown.extend(other.grown);
    }
}

/// One member as others may see it.
#[derive(Clone, Debug)]
pub(crate) struct MemberView<I> {
    pub(crate) key: Key,
    pub(crate) instance: I,
    pub(crate) ready: bool,
    pub(crate) draining: bool,
    pub(crate) busy: usize,
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
    /// Members condemned so far.
    unwell: u64,
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
            unwell: 0,
            closed: false,
        }
    }

    /// The function and qualifier are as `spec` says from now on: its caps hold, and its minimum is started.
    pub(crate) fn assign(&mut self, spec: &Arc<FunctionSpec>, now: Duration) -> Actions<I, W> {
        let mut actions = Actions::default();
        if self.closed {
            return actions;
        }
        let key = Key::of(spec);
        self.leave_others(&key, &mut actions);
        if let Some(pool) = self.pools.get_mut(&key) {
            let changed = pool.is_changed_by(spec);
            pool.spec = Arc::clone(spec);
            if changed {
                self.renew(&key, &mut actions);
            }
            self.shrink(&key, &mut actions);
        } else if spec.scale.provisioned > 0 {
            self.pools.insert(key.clone(), Pool::new(spec, now));
        }
        actions.extend(self.settle(now));
        self.forget_if_empty(&key);
        actions.grown.push(key.function);
        actions
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

    /// Whether there is anything to look at from time to time.
    pub(crate) fn is_empty(&self) -> bool {
        self.pools.is_empty()
    }

    /// Whether somebody waits for capacity that only time may bring.
    pub(crate) fn is_wanting(&self) -> bool {
        !self.refused.is_empty() || self.pools.values().any(|pool| !pool.waiters.is_empty())
    }

    /// Every member.
    pub(crate) fn members(&self) -> Vec<MemberView<I>> {
        let members = self.pools.iter().flat_map(|(key, pool)| pool.members.iter().map(move |m| (key, m)));
        members
            .map(|(key, member)| MemberView {
                key: key.clone(),
                instance: member.instance.clone(),
                ready: member.ready,
                draining: member.draining,
                busy: member.busy,
            })
            .collect()
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
            unwell: self.unwell,
            ..ExecutorStats::default()
        }
    }

    fn member_mut(&mut self, key: &Key, number: u64) -> Option<&mut Member<I>> {
        self.pools.get_mut(key)?.members.iter_mut().find(|member| member.number == number)
    }

    fn forget_if_empty(&mut self, key: &Key) {
        if self.pools.get(key).is_some_and(Pool::is_over) {
            self.pools.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
