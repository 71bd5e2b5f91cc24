//! A blank: everything about a process that cannot be changed once it runs.
//!
//! Owns which part of a start is that. All starts of built-in runtimes are made of the same two steps, whether a standby was
//! there or not: a blank is launched, and is then told the rest, over its control socket and, in a standby, by the
//! sandbox. So what a function sees does not depend on how it was started.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::Path;

use bide_sandbox::{Adoption, LaunchSpec, Limits, Mount, Network};

use crate::environment::{Environment, is_read_at_start};
use crate::runtime::{Start, limits_of, network_of};

/// What one process has in common with others of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Blank {
    argv: Vec<OsString>,
    env: Environment,
    mounts: Vec<Mount>,
    network: Network,
    limits: Limits,
}

impl Blank {
    /// `mounts`: what the program needs beside what the function brings.
    pub(crate) fn of(start: &Start<'_>, argv: Vec<OsString>, mounts: &[Mount]) -> Self {
        let limits = limits_of(&start.spec.function);
        Self {
            argv,
            env: start.environment().filter(is_read_at_start),
            mounts: [start.layout.shared_mounts(), mounts].concat(),
            network: network_of(start.spec),
            limits: Limits { memory_bytes_max: None, cpu_millis: None, ..limits },
        }
    }

    /// Whether it may be launched before its function is known. Not if the function sets a variable itself that counts from
    /// the first instruction on: what it names may lie in the code directory, which is empty then. Nor with layers: the
    /// dynamic linker remembers which directories of its path were missing.
    pub(crate) fn may_wait(start: &Start<'_>) -> bool {
        let own = &start.spec.function.environment;
        start.launcher.isolates()
            && start.layout.layers().is_none()
            && !own.iter().any(|(name, _)| is_read_at_start(name))
    }

    /// The launch of a standby.
    pub(super) fn launch(&self, control: OwnedFd) -> LaunchSpec {
        LaunchSpec {
            env: self.env.clone().into_pairs(),
            control: Some(control),
            mounts: self.mounts.clone(),
            network: self.network,
            limits: self.limits,
            ..LaunchSpec::new(self.argv.clone())
        }
    }

    /// The launch of an instance of which all is known.
    pub(crate) fn launch_for(&self, late: Adoption, control: OwnedFd) -> LaunchSpec {
        let launch = self.launch(control);
        let Adoption { mounts, hostname, memory_bytes_max, cpu_millis } = late;
        LaunchSpec {
            hostname,
            mounts: [mounts, launch.mounts].concat(),
            limits: Limits { memory_bytes_max, cpu_millis, ..launch.limits },
            ..launch
        }
    }

    pub(super) fn program(&self) -> &Path {
        self.argv.first().map_or(Path::new(""), Path::new)
    }
}
