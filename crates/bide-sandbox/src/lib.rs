//! The launcher: turns a description of a process into a running one, contained as far as this host allows.
//!
//! Owns the seam ([`Launcher`]), the only backend so far ([`ProcessLauncher`]: separate processes, no namespaces yet)
//! and the rule that nothing is left behind: a process and its whole group are killed and reaped before
//! [`ProcessHandle::exited`] resolves, when the [`Process`] is dropped, and by the kernel when the server dies
//! (parent-death signal on the process itself; its descendants are reached only while the server lives, until the
//! namespace backend makes process 1 of an instance their end as well).
//! Never knows what a function is. The only crate that may use `unsafe`.

#![allow(unsafe_code)]

mod launcher;
mod memory;
mod process;
mod protection;

use std::ffi::OsString;
use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;

pub use launcher::ProcessLauncher;
pub use process::{Exit, Process, ProcessHandle};
pub use protection::{Protection, Protections};

/// Environment variable that tells the process the descriptor number of its control socket.
pub const CONTROL_FD_VARIABLE: &str = "BIDE_CONTROL_FD";

/// What to start.
#[derive(Debug)]
pub struct LaunchSpec {
    /// Program (an absolute path, or a name looked up on the `PATH` in `env`) and its arguments; never empty.
    pub argv: Vec<OsString>,
    /// The complete environment; nothing is inherited.
    pub env: Vec<(OsString, OsString)>,
    pub working_dir: PathBuf,
    /// Inherited by the process under the number in [`CONTROL_FD_VARIABLE`]. All other descriptors are closed, except
    /// standard input (`/dev/null`) and the two outputs.
    pub control: Option<OwnedFd>,
    pub limits: Limits,
}

/// Resource limits of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most open descriptors (FC "Limits": 100000).
    pub open_files_max: u64,
    /// Largest file that may be written, in bytes.
    pub file_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { open_files_max: 100_000, file_bytes_max: 10 * 1024 * 1024 * 1024 }
    }
}

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
    #[error("too many processes are being started at once")]
    Busy,
    #[error("the launcher has shut down")]
    Closed,
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

    /// What contains the processes of this launcher on this host, and what does not.
    fn protections(&self) -> Protections;
}
