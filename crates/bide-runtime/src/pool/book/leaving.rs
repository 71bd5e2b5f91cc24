//! Who has to leave, although nothing is wrong with them: idle too long, of an old revision.
//!
//! Owns the rule that whoever runs something finishes it first. Never stops anybody: the shell does.

use std::time::Duration;

use bide_types::FunctionId;

use super::members::Member;
use super::{Actions, Book, Key};

impl<I: Clone, W> Book<I, W> {
    /// Takes out whoever has been idle for `idle_timeout`.
    pub(crate) fn reclaim(&mut self, now: Duration, idle_timeout: Duration) -> Actions<I, W> {
        self.remove_idle(|_, member| now.saturating_sub(member.idle_since) >= idle_timeout)
    }

    /// Lets the present members of a function finish what they run.
    pub(crate) fn retire(&mut self, function: FunctionId) -> Actions<I, W> {
        for (key, pool) in &mut self.pools {
            if key.function == function {
                pool.members.iter_mut().for_each(|member| member.draining = true);
            }
        }
        self.remove_idle(|_, member| member.draining)
    }

    /// A newer revision of the same function and qualifier has come.
    pub(super) fn drain_older(&mut self, newer: &Key, actions: &mut Actions<I, W>) {
        let is_older = |key: &Key| {
            key.function == newer.function
                && key.qualifier == newer.qualifier
                && key.revision < newer.revision
        };
        for (key, pool) in &mut self.pools {
            if is_older(key) {
                pool.members.iter_mut().for_each(|member| member.draining = true);
            }
        }
        actions.stop.extend(self.remove_idle(|key, member| is_older(key) && member.draining).stop);
    }

    fn remove_idle(&mut self, wanted: impl Fn(&Key, &Member<I>) -> bool) -> Actions<I, W> {
        let mut found = Vec::new();
        for (key, pool) in &self.pools {
            let members = pool.members.iter().filter(|member| member.is_idle() && wanted(key, member));
            found.extend(members.map(|member| (key.clone(), member.number, member.instance.clone())));
        }
        let mut actions = Actions::default();
        for (key, number, instance) in found {
            actions.stop.push(instance);
            self.gone(&key, number);
        }
        actions
    }
}
