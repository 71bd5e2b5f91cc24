//! The process backend: each instance a separate process, without namespaces.
//!
//! Owns the one long-lived thread that forks, because the parent-death signal fires when the *thread* that forked
//! ends, and worker threads of an async runtime come and go. Never waits for a process: `process` does.
//! When the server is killed, the kernel kills every process started here, but not their descendants.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use tokio::sync::oneshot;

use crate::plain;
use crate::{CONTROL_FD_VARIABLE, LaunchError, LaunchSpec, Launcher, Limits, Process, Protections};

/// Starts waiting for the launcher's thread; more are refused.
const SPAWN_QUEUE_MAX: usize = 256;

struct Job {
    spec: LaunchSpec,
    reply: oneshot::Sender<Result<(Child, OwnedFd), LaunchError>>,
}

/// Keeps the launcher's thread, and with it its processes, alive.
#[derive(Clone)]
pub(crate) struct KeepAlive(#[expect(dead_code, reason = "held, never used")] SyncSender<Job>);

/// Starts plain processes. Clones share one thread.
#[derive(Clone)]
pub struct ProcessLauncher {
    jobs: SyncSender<Job>,
}

impl fmt::Debug for KeepAlive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeepAlive")
    }
}

impl fmt::Debug for ProcessLauncher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProcessLauncher")
    }
}

impl ProcessLauncher {
    /// # Errors
    /// The kernel's, if the launcher's thread cannot be started.
    pub fn new() -> io::Result<Self> {
        let (jobs, queue) = sync_channel(SPAWN_QUEUE_MAX);
        // Ends when the last launcher and the last process are gone.
        std::thread::Builder::new().name("bide-launcher".to_owned()).spawn(move || serve(&queue))?;
        Ok(Self { jobs })
    }

    async fn spawn_process(&self, spec: LaunchSpec) -> Result<Process, LaunchError> {
        let program = spec.argv.first().ok_or(LaunchError::NoProgram)?.to_string_lossy().into_owned();
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Job { spec, reply }).map_err(|error| match error {
            TrySendError::Full(_) => LaunchError::Busy,
            TrySendError::Disconnected(_) => LaunchError::Closed,
        })?;
        let (child, output) = answer.await.map_err(|_| LaunchError::Closed)??;
        plain::adopt(child, output, KeepAlive(self.jobs.clone()))
            .map_err(|source| LaunchError::Spawn { program, source })
    }
}

impl Launcher for ProcessLauncher {
    fn spawn(
        &self,
        spec: LaunchSpec,
    ) -> Pin<Box<dyn Future<Output = Result<Process, LaunchError>> + Send + '_>> {
        Box::pin(self.spawn_process(spec))
    }

    fn isolates(&self) -> bool {
        false
    }

    fn protections(&self) -> Protections {
        Protections::of_plain_processes()
    }
}

fn serve(queue: &Receiver<Job>) {
    while let Ok(Job { spec, reply }) = queue.recv() {
        if let Err(Ok((mut child, _))) = reply.send(start(spec)) {
            // Nobody waits for it any more.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start(spec: LaunchSpec) -> Result<(Child, OwnedFd), LaunchError> {
    let program = spec.argv.first().ok_or(LaunchError::NoProgram)?.clone();
    try_start(&program, spec)
        .map_err(|source| LaunchError::Spawn { program: program.to_string_lossy().into_owned(), source })
}

fn try_start(program: &OsString, spec: LaunchSpec) -> io::Result<(Child, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    let mut command = Command::new(program);
    command
        .args(&spec.argv[1..])
        .env_clear()
        .envs(spec.env)
        .current_dir(&spec.working_dir)
        .stdin(Stdio::null())
        .stdout(writer.try_clone()?)
        .stderr(writer);
    let control = spec.control.as_ref().map(AsRawFd::as_raw_fd);
    if let Some(control) = control {
        command.env(CONTROL_FD_VARIABLE, control.to_string());
    }
    let parent = std::process::id();
    let limits = spec.limits;
    // SAFETY: `contain` runs between fork and exec in a copy of a process with several threads. It only makes system
    // calls (all of them async-signal-safe), allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || contain(parent, control, limits));
    }
    // `spec.control` stays open until here, so no other descriptor can have taken its number.
    let child = command.spawn()?;
    Ok((child, reader.into()))
}

/// Runs in the child, right before the program is executed.
fn contain(parent: u32, control: Option<RawFd>, limits: Limits) -> io::Result<()> {
    // SAFETY: plain system calls on integers and on local structures that outlive the calls.
    unsafe {
        check(libc::setsid())?;
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
        if u32::try_from(libc::getppid()) != Ok(parent) {
            // The server died between fork and prctl.
            libc::_exit(1);
        }
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        libc::umask(0o077);
        limit(libc::RLIMIT_CORE, 0)?;
        limit(libc::RLIMIT_NOFILE, limits.open_files_max)?;
        limit(libc::RLIMIT_FSIZE, limits.file_bytes_max)?;
        // Marks instead of closing: std's own pipe, which reports a failing exec, must live until then.
        let marked = libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if marked < 0 {
            return Err(io::Error::last_os_error());
        }
        if let Some(control) = control {
            check(libc::fcntl(control, libc::F_SETFD, 0))?;
        }
    }
    Ok(())
}

/// Lowers a limit to `value`; a limit that is lower already stays.
fn limit(resource: libc::__rlimit_resource_t, value: u64) -> io::Result<()> {
    let mut current = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `current` is a valid rlimit that outlives both calls.
    unsafe {
        check(libc::getrlimit(resource, &raw mut current))?;
        current.rlim_max = current.rlim_max.min(value);
        current.rlim_cur = current.rlim_max;
        check(libc::setrlimit(resource, &raw const current))
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
