//! Starting the supervisor's process.
//!
//! Owns the thread that forks it: the parent-death signal fires when the *thread* that forked ends, so it waits there.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::net::SocketFlags;
use tokio::sync::oneshot;

use crate::supervisor::ARGUMENT;
use crate::{protocol, sys};

/// Executes `program` as a supervisor; our end of the socket to it, in non-blocking mode.
pub(super) async fn supervisor(program: &Path) -> io::Result<OwnedFd> {
    let (ours, theirs) = protocol::pair(SocketFlags::empty())?;
    rustix::io::ioctl_fionbio(&ours, true)?;
    let mut command = Command::new(program);
    command.arg0(ARGUMENT).env_clear().current_dir("/");
    // The supervisor finds its socket there (`supervisor::SOCKET`).
    command.stdin(theirs).stdout(Stdio::null());
    let server = std::process::id();
    // SAFETY: `bind` runs between fork and exec in a copy of a process with several threads. It only makes system calls
    // (all of them async-signal-safe), allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || bind(server));
    }
    let (told, answer) = oneshot::channel();
    std::thread::Builder::new().name("bide-launcher".to_owned()).spawn(move || {
        match command.spawn() {
            Ok(mut child) => {
                // The socket in it is the supervisor's alone from here on.
                drop(command);
                let _ = told.send(Ok(()));
                let _ = child.wait();
            }
            Err(error) => {
                let _ = told.send(Err(error));
            }
        }
    })?;
    answer.await.map_err(io::Error::other)??;
    Ok(ours)
}

/// Binds the supervisor's life to the server's and leaves it nothing but its socket.
fn bind(server: u32) -> io::Result<()> {
    const FIRST_OTHER: RawFd = 3;
    rustix::process::setsid()?;
    sys::die_with_parent()?;
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    if parent != Some(server) {
        // The server died between fork and prctl.
        sys::exit(1);
    }
    // Marks instead of closing: std's own pipe, which reports a failing exec, must live until then.
    sys::close_from(FIRST_OTHER, true)
}
