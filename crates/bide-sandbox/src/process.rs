//! A running process and the promise that it ends.
//!
//! Owns signalling and reaping. Signals go to the whole process group; once the leader is gone, what is left of the
//! group is killed *before* the leader is reaped, because only then its number cannot mean somebody else.
//! A process that moved to a session of its own escapes this (see [`crate::Protection::DescendantsDieWithServer`]).

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use crate::launcher::KeepAlive;
use crate::memory::MemoryGauge;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

/// A process that ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    handle: ProcessHandle,
    output: Option<OwnedFd>,
}

/// Watches and signals a [`Process`]; does not keep it alive.
#[derive(Clone, Debug)]
pub struct ProcessHandle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pid: Pid,
    memory: MemoryGauge,
    exit: watch::Sender<Option<Exit>>,
    /// Held while signalling and while reaping, so that no signal follows the reaping.
    reaped: Mutex<bool>,
}

impl Process {
    /// Takes over a started child that leads its own process group. `output` is the reading end of its outputs.
    ///
    /// # Errors
    /// The kernel's, if the process cannot be watched; it has been killed and reaped then.
    pub(crate) fn adopt(child: Child, output: OwnedFd, launcher: KeepAlive) -> std::io::Result<Self> {
        let pid = Pid::from_child(&child);
        let shared = Arc::new(Shared {
            pid,
            memory: MemoryGauge::open(pid),
            exit: watch::Sender::new(None),
            reaped: Mutex::new(false),
        });
        let reaper = Reaper { child, shared: Arc::clone(&shared), _launcher: launcher };
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        // SAFETY: an `OwnedFd` keeps its descriptor open and the same until it is dropped.
        let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?;
        // The task ends with the process, which ends with `Self`; a runtime that shuts down drops it, which kills.
        tokio::spawn(async move {
            let _ = pidfd.readable().await;
            drop(reaper);
        });
        Ok(Self { handle: ProcessHandle { shared }, output: Some(output) })
    }

    pub fn handle(&self) -> ProcessHandle {
        self.handle.clone()
    }

    /// The reading end of standard output and standard error, in non-blocking mode; `None` the second time.
    pub fn take_output(&mut self) -> Option<OwnedFd> {
        self.output.take()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

impl ProcessHandle {
    pub fn pid(&self) -> u32 {
        self.shared.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Asks the whole group to end (SIGTERM).
    pub fn terminate(&self) {
        self.shared.signal(Signal::TERM);
    }

    /// Ends the whole group (SIGKILL).
    pub fn kill(&self) {
        self.shared.signal(Signal::KILL);
    }

    pub fn has_exited(&self) -> bool {
        self.shared.exit.borrow().is_some()
    }

    /// Resolves when the process is reaped and its group killed.
    pub async fn exited(&self) -> Exit {
        let mut exits = self.shared.exit.subscribe();
        let exit = exits.wait_for(Option::is_some).await.expect("the sender lives in `self`");
        exit.expect("waited for")
    }

    /// Highest resident memory of the process itself so far, in bytes; 0 if unknown.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.shared.memory.peak_bytes()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.reaped.lock().expect("nothing panics while it holds the lock")
    }

    fn signal(&self, signal: Signal) {
        let reaped = self.lock();
        if !*reaped {
            // Fails only when the group is empty already.
            let _ = kill_process_group(self.pid, signal);
        }
    }
}

/// Kills what is left of the group and reaps the leader, at the latest when dropped.
struct Reaper {
    child: Child,
    shared: Arc<Shared>,
    _launcher: KeepAlive,
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.shared.memory.peak_bytes();
        let mut reaped = self.shared.lock();
        let _ = kill_process_group(self.shared.pid, Signal::KILL);
        // Returns at once: the leader has exited, or has just been killed.
        let status = self.child.wait();
        *reaped = true;
        drop(reaped);
        let exit = status.map_or(Exit { code: None, signal: None }, |status| Exit {
            code: status.code(),
            signal: status.signal(),
        });
        self.shared.exit.send_replace(Some(exit));
    }
}
