//! Processes without namespaces: signalling and reaping.
//!
//! Signals go to the whole process group; once the leader is gone, what is left of the group is killed *before* the
//! leader is reaped, because only then its number cannot mean somebody else. A process that moved to a session of its own
//! escapes this (see [`crate::Protection::DescendantsDieWithServer`]).

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::launcher::KeepAlive;
use crate::process::{Control, Exit, Process, ProcessHandle};

/// Takes over a started child that leads its own process group. `output` is the reading end of its outputs.
///
/// # Errors
/// The kernel's, if the process cannot be watched; it has been killed and reaped then.
pub(crate) fn adopt(child: Child, output: OwnedFd, launcher: KeepAlive) -> io::Result<Process> {
    let pid = Pid::from_child(&child);
    let group = Group { pid, reaped: Arc::new(Mutex::new(false)) };
    let process = Process::new(child.id(), output, Box::new(group.clone()));
    let reaper = Reaper { child, group, handle: process.handle(), _launcher: launcher };
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    // SAFETY: an `OwnedFd` keeps its descriptor open and the same until it is dropped.
    let pidfd = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) }?;
    // The task ends with the process, which ends with `Process`; a runtime that shuts down drops it, which kills.
    tokio::spawn(async move {
        let _ = pidfd.readable().await;
        drop(reaper);
    });
    Ok(process)
}

/// A process group.
#[derive(Clone, Debug)]
struct Group {
    pid: Pid,
    /// Held while signalling and while reaping, so that no signal follows the reaping.
    reaped: Arc<Mutex<bool>>,
}

impl Group {
    fn lock(&self) -> MutexGuard<'_, bool> {
        self.reaped.lock().expect("nothing panics while it holds the lock")
    }
}

impl Control for Group {
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
    group: Group,
    handle: ProcessHandle,
    _launcher: KeepAlive,
}

impl Drop for Reaper {
    fn drop(&mut self) {
        // Remembered by the gauge before its source is gone.
        self.handle.memory_peak_bytes();
        let mut reaped = self.group.lock();
        let _ = kill_process_group(self.group.pid, Signal::KILL);
        // Returns at once: the leader has exited, or has just been killed.
        let status = self.child.wait();
        *reaped = true;
        drop(reaped);
        let exit = status.map_or_else(
            |_| Exit::default(),
            |status| Exit { code: status.code(), signal: status.signal(), ..Exit::default() },
        );
        self.handle.note_exit(exit);
    }
}
