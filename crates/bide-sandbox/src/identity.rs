//! Who a program is: user 1000 inside, and nobody else.
//!
//! Owns the identity maps and the host's user ids that stand behind them. A supervisor of root gives every instance an id
//! of its own; one of an ordinary user has only that user's, so its instances are kept apart by their namespaces alone.
//! Held in memory: after a crash everything that ran under these ids is gone.

use std::collections::BTreeSet;
use std::fs;
use std::io;

use rustix::process::{Pid, Uid, getegid, geteuid};
use rustix::thread::set_thread_res_uid;

use crate::sys::{self, Cloned};

/// User and group of a program, as it sees itself.
pub(crate) const INNER_ID: u32 = 1000;
/// First host id of instances: above what distributions, containers and LDAP use, below 2^31, where old tools stop.
const HOST_ID_FIRST: u32 = 2_000_000_000;
/// Host ids set aside; more than instances can exist.
const HOST_IDS: u32 = 65_536;

/// What stands behind an instance's user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// A host id that no other instance has.
    Own(u32),
    /// The user of the supervisor.
    Shared,
}

/// Hands out host ids.
#[derive(Debug)]
pub(crate) enum Identities {
    Own { next: u32, used: BTreeSet<u32> },
    Shared,
}

impl Identities {
    pub(crate) fn new(privileged: bool) -> Self {
        if privileged { Self::Own { next: 0, used: BTreeSet::new() } } else { Self::Shared }
    }

    /// `None` when all are in use.
    pub(crate) fn take(&mut self) -> Option<Identity> {
        let Self::Own { next, used } = self else { return Some(Identity::Shared) };
        // In turn, so that an id rests as long as possible before it means somebody else.
        let free = (0..HOST_IDS).map(|step| (*next + step) % HOST_IDS).find(|id| !used.contains(id))?;
        used.insert(free);
        *next = (free + 1) % HOST_IDS;
        Some(Identity::Own(HOST_ID_FIRST + free))
    }

    pub(crate) fn give_back(&mut self, identity: Identity) {
        if let (Self::Own { used, .. }, Identity::Own(id)) = (self, identity) {
            used.remove(&(id - HOST_ID_FIRST));
        }
    }
}

impl Identity {
    /// Clones a process into a user namespace whose maker is this user. The kernel charges to the maker what it counts by
    /// user (watches of files, queues, signals, namespaces), so that no instance uses up what others, or root, may have.
    pub(crate) fn make(self, clone: impl FnOnce() -> io::Result<Cloned>) -> io::Result<Cloned> {
        let Self::Own(id) = self else { return clone() };
        set_thread_res_uid(None, Uid::from_raw(id), None)?;
        let cloned = clone();
        if !matches!(cloned, Ok(Cloned::Child)) {
            set_thread_res_uid(None, Uid::ROOT, None)?;
            // A change of the user has cleared it.
            sys::die_with_parent()?;
        }
        cloned
    }

    /// Maps the one user and group of a process that has just been cloned into a user namespace.
    pub(crate) fn map(self, process: Pid) -> io::Result<()> {
        let directory = format!("/proc/{}", process.as_raw_nonzero());
        let (user, group) = match self {
            Self::Own(id) => (id, id),
            Self::Shared => {
                // Without privilege the kernel maps groups only for who cannot drop any.
                fs::write(format!("{directory}/setgroups"), "deny")?;
                (geteuid().as_raw(), getegid().as_raw())
            }
        };
        fs::write(format!("{directory}/uid_map"), format!("{INNER_ID} {user} 1"))?;
        fs::write(format!("{directory}/gid_map"), format!("{INNER_ID} {group} 1"))
    }
}

/// Whether the calling process, as root, may hand out the host ids: it may not in a container that has only a few.
pub(crate) fn has_host_ids() -> bool {
    let covers = |map: &str| {
        fs::read_to_string(map).is_ok_and(|map| {
            map.lines().any(|line| {
                let fields: Vec<u64> =
                    line.split_whitespace().filter_map(|field| field.parse().ok()).collect();
                let [inside, _, count] = fields[..] else { return false };
                inside <= u64::from(HOST_ID_FIRST) && inside + count >= u64::from(HOST_ID_FIRST + HOST_IDS)
            })
        })
    };
    geteuid().is_root() && covers("/proc/self/uid_map") && covers("/proc/self/gid_map")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_given_to_one_at_a_time_and_rests_before_it_is_given_again() {
        let mut identities = Identities::new(true);
        let first = identities.take();
        let second = identities.take();
        assert_ne!(first, second);
        identities.give_back(first.expect("free"));
        assert_ne!(identities.take(), first, "others come first");
        let rest: Vec<_> = std::iter::from_fn(|| identities.take()).collect();
        assert_eq!(rest.len() + 2, HOST_IDS as usize);
        assert!(rest.contains(&first.expect("free")));
        assert_eq!(identities.take(), None);
    }

    #[test]
    fn an_ordinary_user_has_but_one() {
        let mut identities = Identities::new(false);
        assert_eq!((identities.take(), identities.take()), (Some(Identity::Shared), Some(Identity::Shared)));
    }
}
