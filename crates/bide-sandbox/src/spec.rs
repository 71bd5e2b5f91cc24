//! What to start: the description of a process, what it sees and what it may use.
//!
//! Owns values only. A launcher that does not isolate (see [`crate::Launcher::isolates`]) ignores what only a sandbox can
//! give: mounts, the network and the limits that need one.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

const MIB: u64 = 1024 * 1024;

/// What to start.
#[derive(Debug)]
pub struct LaunchSpec {
    /// Program (an absolute path, or a name looked up on the `PATH` in `env`) and its arguments; never empty.
    pub argv: Vec<OsString>,
    /// The complete environment; nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    pub working_dir: PathBuf,
    /// Inherited by the process under the number in [`crate::CONTROL_FD_VARIABLE`]. All other descriptors are closed,
    /// except standard input (`/dev/null`) and the two outputs.
    pub control: Option<OwnedFd>,
    /// Host name inside a sandbox.
    pub hostname: String,
    /// What a sandbox shows of the host beside the system's own programs and libraries, outer directories before inner.
    pub mounts: Vec<Mount>,
    pub network: Network,
    pub limits: Limits,
}

/// A directory of the host that a sandbox shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Absolute path on the host.
    pub source: PathBuf,
    /// Absolute path inside.
    pub target: PathBuf,
    pub access: Access,
}

/// What may be done beneath a [`Mount`], as far as the modes of its files allow it to others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    ReadOnly,
    ReadWrite,
}

/// How far a sandbox reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Network {
    /// Only itself.
    Loopback,
    /// Other hosts as well, but never this one.
    Outbound,
}

/// Resource limits of one process and all that it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Most memory, in bytes; `None`: not limited.
    pub memory_bytes_max: Option<u64>,
    /// CPU time per wall-clock time, in thousandths of a core; `None`: not limited.
    pub cpu_millis: Option<u32>,
    /// Most processes and threads (FC "Limits": 1024).
    pub processes_max: u32,
    /// Most open descriptors (FC "Limits": 100000).
    pub open_files_max: u64,
    /// Largest file that may be written, in bytes.
    pub file_bytes_max: u64,
    /// Size of `/tmp`, in bytes.
    pub tmp_bytes_max: u64,
}

/// What a standby is told when it gets something to do.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// What its slots show, each at the target of a slot; a slot without a mount stays empty.
    pub mounts: Vec<Mount>,
    pub hostname: String,
    /// As in [`Limits`].
    pub memory_bytes_max: Option<u64>,
    /// As in [`Limits`].
    pub cpu_millis: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes_max: None,
            cpu_millis: None,
            processes_max: 1024,
            open_files_max: 100_000,
            file_bytes_max: 10 * 1024 * MIB,
            tmp_bytes_max: 512 * MIB,
        }
    }
}

impl LaunchSpec {
    /// A program with nothing but its arguments: no environment, no mounts, no network, default limits.
    pub fn new(argv: Vec<OsString>) -> Self {
        Self {
            argv,
            env: Vec::new(),
            working_dir: "/".into(),
            control: None,
            hostname: "localhost".to_owned(),
            mounts: Vec::new(),
            network: Network::Loopback,
            limits: Limits::default(),
        }
    }
}
