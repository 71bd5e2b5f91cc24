//! The launcher: turns a description of a process into a running one, contained as far as this host allows.
//!
//! Owns the seam ([`Launcher`]), its two backends ([`SandboxLauncher`]; [`ProcessLauncher`]: separate processes without
//! namespaces) and the rule that nothing is left behind: a process and all that it started are killed and reaped before
//! [`ProcessHandle::exited`] resolves, when the [`Process`] is dropped, and by the kernel when the server dies. Without
//! namespaces that holds for its process group only, and when the server is killed for the process itself only.
//! Never knows what a function is. The only crate that may use `unsafe`.

#![allow(unsafe_code)]

pub mod capabilities;
pub mod cgroup;
pub mod landlock;

mod client;
mod identity;
mod init;
mod launcher;
mod memory;
mod network;
mod plain;
mod probe;
mod process;
mod protection;
mod protocol;
mod rootfs;
pub mod seccomp;
mod spec;
mod supervisor;
mod sys;
pub mod watchdog;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;

pub use client::{SandboxLauncher, Standby};
pub use launcher::ProcessLauncher;
pub use network::Outbound;
pub use probe::probe_pause;
pub use process::{Exit, Process, ProcessHandle};
pub use protection::{Protection, Protections};
pub use spec::{Access, Adoption, LaunchSpec, Limits, Mount, Network};
pub use supervisor::take_over;

/// Environment variable that tells the process the descriptor number of its control socket.
pub const CONTROL_FD_VARIABLE: &str = "BIDE_CONTROL_FD";

/// Why a process could not be started. Nothing is left behind in any case.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("the launch specification names no program")]
    NoProgram,
    #[error("cannot start '{program}'")]
    Spawn {
        program: String,
        #[source]
        source: io::Error,
    },
    /// The sandbox around the program could not be made.
    #[error("cannot make a sandbox: {step}")]
    Sandbox {
        step: String,
        #[source]
        source: io::Error,
    },
    #[error("too many processes are being started at once")]
    Busy,
    #[error("the launcher has shut down")]
    Closed,
    #[error("without sandboxes there are no standbys")]
    NoStandbys,
    #[error("the standby has ended")]
    Gone,
}

/// Starts processes.
pub trait Launcher: Send + Sync + 'static {
    /// Resolves when the program has been executed. Must be called within a tokio runtime, which then watches the
    /// process.
    ///
    /// # Errors
    /// [`LaunchError`]; no process exists then.
    fn spawn(
        &self,
        spec: LaunchSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Process, LaunchError>> + Send + '_>>;

    /// Starts a process ahead of need, in a sandbox that [`Standby::adopt`] finishes. What is not in an [`Adoption`] is as
    /// `spec` says, for good. `slots` are directories that are empty until then; limits that come late are `None` in `spec`.
    ///
    /// # Errors
    /// [`LaunchError`]; no process exists then. [`LaunchError::NoStandbys`] unless [`Launcher::isolates`].
    fn stand_by(
        &self,
        _spec: LaunchSpec,
        _slots: Vec<PathBuf>,
    ) -> Pin<Box<dyn Future<Output = Result<Standby, LaunchError>> + Send + '_>> {
        Box::pin(std::future::ready(Err(LaunchError::NoStandbys)))
    }

    /// Whether its processes live in a file system and network of their own: mounts are then where [`LaunchSpec::mounts`]
    /// puts them, and every process has all ports for itself.
    fn isolates(&self) -> bool;

    /// What contains the processes of this launcher on this host, and what does not.
    fn protections(&self) -> Protections;
}
