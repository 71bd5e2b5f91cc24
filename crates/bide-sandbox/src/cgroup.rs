//! Control groups: what bounds the memory, processes and CPU of an instance where the host allows it.
//!
//! Owns the choice of hierarchy per controller ([`Cgroups::detect`]: version 2, version 1, or none with a reason) and
//! the groups below one parent per server, `bide-<label>`. Never decides what a figure means, and never kills by itself
//! but for the kernel's own out-of-memory killer.
//! A crash leaves empty groups behind; the next server that detects beside them removes them, told apart from those of
//! living servers by a lock on the parent's directory. Groups that still hold dying processes are kept in a list and
//! tried again by [`Cgroups::tidy`].

mod detect;
mod figures;
mod instance;
mod place;

use std::fmt;
use std::fs;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub use instance::{Entry, InstanceCgroup};
use place::Place;

/// Directories that could not be removed yet, most deeply nested first.
type Leftovers = Arc<Mutex<Vec<PathBuf>>>;

/// What a controller bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Controller {
    Memory,
    Pids,
    Cpu,
    /// Stops and continues all processes of a group. Version 2 has it in every group.
    Freezer,
}

impl Controller {
    const ALL: [Self; 4] = [Self::Memory, Self::Pids, Self::Cpu, Self::Freezer];

    /// The kernel's name.
    fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Pids => "pids",
            Self::Cpu => "cpu",
            Self::Freezer => "freezer",
        }
    }
}

impl fmt::Display for Controller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The two interfaces of the kernel (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1,
    V2,
}

/// Where and for whom groups are made.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// Where the hierarchies are mounted: `/sys/fs/cgroup`.
    pub root: &'a Path,
    /// Text of `/proc/self/cgroup`.
    pub own: &'a str,
    /// Unique among the servers of this host; letters, digits and `-` only.
    pub label: &'a str,
    /// The server's own processes, numbered as in the caller's pid namespace. Version 2 wants a group with child groups
    /// to hold no processes; these, and no others, may be moved into a child group for it.
    pub server: &'a [u32],
}

/// What the kernel is to enforce for one instance. `None` is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes of everything that is charged to the group: anonymous memory, files in tmpfs, page cache, kernel memory.
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    pub tasks: Option<u64>,
    /// Thousandths of one CPU.
    pub cpu_millis: Option<u32>,
}

/// The control groups of one server. Its parents are removed when it and all its instances are dropped.
#[derive(Debug)]
pub struct Cgroups {
    places: Vec<(Controller, Arc<Place>)>,
    missing: Vec<(Controller, String)>,
    leftovers: Leftovers,
}

impl Cgroups {
    /// Finds out what this host offers and makes the server's parent groups. Never fails: what cannot be had is in
    /// [`Self::missing`]. Must run before the caller enters a pid namespace of its own, since it moves processes by number.
    pub fn detect(site: &Site<'_>) -> Self {
        detect::detect(site)
    }

    /// The interface in use for a controller; `None` if this host does not let us have it.
    pub fn version_of(&self, controller: Controller) -> Option<Version> {
        self.place_of(controller).map(|place| place.version())
    }

    /// Controllers that cannot be used, each with a reason for the operator.
    pub fn missing(&self) -> &[(Controller, String)] {
        &self.missing
    }

    /// The descriptors that say that this server lives. A copy of this process that is to remove the groups in the end keeps
    /// them open.
    pub fn locks(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.places.iter().map(|(_, place)| place.lock())
    }

    /// Makes the group of one instance. Bounds of missing controllers are not enforced.
    ///
    /// # Errors
    /// The kernel's; no group is left then.
    pub fn create(&self, name: &str, bounds: &Bounds) -> io::Result<InstanceCgroup> {
        InstanceCgroup::create(self, name, bounds)
    }

    /// Tries again to remove groups that were busy when they were dropped. Returns how many are left.
    pub fn tidy(&self) -> usize {
        let mut leftovers = lock(&self.leftovers);
        leftovers.retain(|directory| !is_gone(directory));
        leftovers.len()
    }

    fn place_of(&self, controller: Controller) -> Option<&Arc<Place>> {
        self.places.iter().find(|(at, _)| *at == controller).map(|(_, place)| place)
    }
}

fn lock(leftovers: &Leftovers) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
    leftovers.lock().expect("nothing panics while it holds the lock")
}

/// Removes a group's directory; true if it no longer exists.
fn is_gone(directory: &Path) -> bool {
    match fs::remove_dir(directory) {
        Ok(()) => true,
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests;
