//! What bounds instances beside their namespaces, as far as this host has it.
//!
//! Found out once, when the supervisor starts; the server is told what is missing. Owns the control groups of the server,
//! which the outer process removes when the supervisor has ended, and the look at memory that watches what the kernel
//! does not.

use std::fs;
use std::path::Path;

use rustix::process::{getpid, getppid};

use crate::cgroup::{Bounds, Cgroups, Controller, InstanceCgroup, Site};
use crate::landlock;
use crate::protocol::{Confined, During, Fault};
use crate::seccomp::Filter;
use crate::spec::Limits;

/// Where control groups are mounted by convention.
const CGROUP_ROOT: &str = "/sys/fs/cgroup";

pub(super) struct Confinement {
    pub(super) cgroups: Cgroups,
    pub(super) filter: Filter,
}

impl Confinement {
    /// Must be called before the process has namespaces of its own, as a child of the server.
    pub(super) fn find() -> Result<Self, Fault> {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let ours = getpid().as_raw_nonzero().get().unsigned_abs();
        let server = getppid().map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs());
        let cgroups = Cgroups::detect(&Site {
            root: Path::new(CGROUP_ROOT),
            own: &own,
            label: &label(ours),
            server: &[server, ours],
        });
        let memory_counted = cgroups.version_of(Controller::Memory).is_some();
        let filter = Filter::build(memory_counted).map_err(std::io::Error::other);
        Ok(Self { cgroups, filter: filter.during("build the system call filter")? })
    }

    pub(super) fn describe(&self) -> Confined {
        let has = |controller| self.cgroups.version_of(controller).is_some();
        let missing = self.cgroups.missing().iter();
        Confined {
            memory: has(Controller::Memory),
            cpu: has(Controller::Cpu),
            landlock: landlock::version().is_some(),
            notes: missing.map(|(controller, reason)| format!("{controller}: {reason}")).collect(),
        }
    }

    /// The control group of one instance.
    pub(super) fn group(&self, id: u64, limits: &Limits) -> Result<InstanceCgroup, Fault> {
        self.cgroups.create(&format!("instance-{id}"), &bounds(limits)).during("make a control group")
    }
}

/// What the kernel is to enforce.
pub(super) fn bounds(limits: &Limits) -> Bounds {
    // Files in `/tmp` are charged as memory. What the program itself holds is looked at every now and then; here is the
    // bound of both, which holds at every moment.
    let memory = limits.memory_bytes_max.map(|bytes| bytes.saturating_add(limits.tmp_bytes_max));
    Bounds {
        memory_bytes: memory,
        // Process 1 is one more.
        tasks: Some(u64::from(limits.processes_max) + 1),
        cpu_millis: limits.cpu_millis,
    }
}

/// A process's number and when it started: nothing else on this host has both.
fn label(pid: u32) -> String {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name, in parentheses, may contain anything. Start time is field 22, that is the 20th after it (proc(5)).
    let start = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(19));
    format!("{pid}-{}", start.unwrap_or("0"))
}
