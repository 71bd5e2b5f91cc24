//! The server's side of the supervisor: launches that are asked for, instances that run.
//!
//! Owns the backend [`SandboxLauncher`] and the supervisor's life: it is started with the launcher, started again when it
//! is gone, and ends with it. When the supervisor ends, so does every instance, and all of them are told.

mod link;
mod room;
mod start;

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::protocol::{Bind, Launch};
use crate::sys;
use crate::{Access, LaunchError, LaunchSpec, Launcher, Outbound, Process, Protections};
use link::Link;

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
    /// starts itself gives `/proc/self/exe`, which stays the same when its file is replaced. Raises this process's own limit
    /// on descriptors as far as it goes: some belong to every instance.
    ///
    /// # Errors
    /// [`LaunchError::Sandbox`] when this host does not allow what a sandbox needs. A launch may still fail; see
    /// [`SandboxLauncher::probe`].
    pub async fn start(program: PathBuf) -> Result<Self, LaunchError> {
        // Fails only where it is as high as it can be.
        let _ = sys::raise_descriptor_limit();
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

    async fn spawn_process(&self, mut spec: LaunchSpec) -> Result<Process, LaunchError> {
        let program = spec.argv.first().ok_or(LaunchError::NoProgram)?.to_string_lossy().into_owned();
        let control = spec.control.take();
        let launch = in_transit(spec, control.is_some())
            .map_err(|source| LaunchError::Spawn { program: program.clone(), source })?;
        let link = self.link().await?;
        link.launch(Box::new(launch), control, program).await
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

    fn isolates(&self) -> bool {
        true
    }

    fn protections(&self) -> Protections {
        self.shared.protections.clone()
    }
}

fn in_transit(spec: LaunchSpec, has_control: bool) -> io::Result<Launch> {
    let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
    let pair = |(name, value): &(OsString, OsString)| {
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).map_err(io::Error::from)
    };
    let bind = |mount: &crate::Mount| {
        let (source, target) = (text(mount.source.as_os_str())?, text(mount.target.as_os_str())?);
        Ok(Bind { source, target, writable: mount.access == Access::ReadWrite })
    };
    Ok(Launch {
        argv: spec.argv.iter().map(|part| text(part)).collect::<io::Result<_>>()?,
        env: spec.env.iter().map(pair).collect::<io::Result<_>>()?,
        working_dir: text(spec.working_dir.as_os_str())?,
        has_control,
        hostname: text(OsStr::new(&spec.hostname))?,
        mounts: spec.mounts.iter().map(bind).collect::<io::Result<_>>()?,
        network: spec.network,
        limits: spec.limits,
    })
}
