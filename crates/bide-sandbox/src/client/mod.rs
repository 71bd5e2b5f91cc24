//! The server's side of the supervisor: launches that are asked for, instances that run.
//!
//! Owns the backend [`SandboxLauncher`] and the supervisor's life: it is started with the launcher, started again when it
//! is gone, and ends with it. When the supervisor ends, so does every instance, and all of them are told.

mod link;
mod room;
mod standby;
mod start;
mod transit;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::{LaunchError, LaunchSpec, Launcher, Outbound, Process, Protections};
use link::Link;
pub use standby::Standby;

/// Starts every process in a sandbox of its own. Clones share one supervisor.
#[derive(Clone)]
pub struct SandboxLauncher {
    shared: Arc<Shared>,
}

struct Shared {
    program: PathBuf,
    /// The supervisor; replaced when it is gone.
    link: Mutex<Link>,
    protections: Protections,
    outbound: Outbound,
}

impl fmt::Debug for SandboxLauncher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SandboxLauncher")
    }
}

impl SandboxLauncher {
    /// Starts the supervisor: `program` executed again, which must call [`crate::take_over`] first of all. A program that
    /// starts itself gives `/proc/self/exe`, which stays the same when its file is replaced.
    ///
    /// # Errors
    /// [`LaunchError::Sandbox`] when this host does not allow what a sandbox needs. A launch may still fail; see
    /// [`SandboxLauncher::probe`].
    pub async fn start(program: PathBuf) -> Result<Self, LaunchError> {
        let (link, protections, outbound) = Link::start(&program).await?;
        Ok(Self { shared: Arc::new(Shared { program, link: Mutex::new(link), protections, outbound }) })
    }

    /// Whether, and how, instances that ask for it reach other hosts.
    pub fn outbound(&self) -> &Outbound {
        &self.shared.outbound
    }

    /// Makes a sandbox and runs a shell in it that does nothing.
    ///
    /// # Errors
    /// What made it fail.
    pub async fn probe(&self) -> Result<(), LaunchError> {
        let argv = ["/bin/sh", "-c", "exit 0"].map(OsString::from).to_vec();
        let process = self.spawn_process(LaunchSpec::new(argv)).await?;
        let exit = process.handle().exited().await;
        if exit.code == Some(0) {
            return Ok(());
        }
        let source = io::Error::other(format!("it ended with {exit:?}"));
        Err(LaunchError::Sandbox { step: "run a shell".to_owned(), source })
    }

    /// `slots`: only for a standby.
    async fn launch(
        &self,
        mut spec: LaunchSpec,
        slots: Option<&[PathBuf]>,
    ) -> Result<(Link, u64, Process), LaunchError> {
        let program = spec.argv.first().ok_or(LaunchError::NoProgram)?.to_string_lossy().into_owned();
        let control = spec.control.take();
        let launch = transit::launch(spec, control.is_some(), slots)
            .map_err(|source| LaunchError::Spawn { program: program.clone(), source })?;
        let link = self.link().await?;
        let (id, process) = link.launch(Box::new(launch), control, program).await?;
        Ok((link, id, process))
    }

    async fn spawn_process(&self, spec: LaunchSpec) -> Result<Process, LaunchError> {
        let (_, _, process) = self.launch(spec, None).await?;
        Ok(process)
    }

    async fn start_standby(&self, spec: LaunchSpec, slots: Vec<PathBuf>) -> Result<Standby, LaunchError> {
        let (link, id, process) = self.launch(spec, Some(&slots)).await?;
        Ok(Standby::new(process, link, id))
    }

    async fn link(&self) -> Result<Link, LaunchError> {
        let mut link = self.shared.link.lock().await;
        if link.is_closed() {
            (*link, ..) = Link::start(&self.shared.program).await?;
        }
        Ok(link.clone())
    }
}

impl Launcher for SandboxLauncher {
    fn spawn(
        &self,
        spec: LaunchSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Process, LaunchError>> + Send + '_>> {
        Box::pin(self.spawn_process(spec))
    }

    fn stand_by(
        &self,
        spec: LaunchSpec,
        slots: Vec<PathBuf>,
    ) -> Pin<Box<dyn Future<Output = Result<Standby, LaunchError>> + Send + '_>> {
        Box::pin(self.start_standby(spec, slots))
    }

    fn isolates(&self) -> bool {
        true
    }

    fn protections(&self) -> Protections {
        self.shared.protections.clone()
    }
}
