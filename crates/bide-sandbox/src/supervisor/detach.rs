//! From the server's child to a supervisor in namespaces of its own.
//!
//! Owns the two processes: the outer one, child of the server, makes the namespaces and waits; the inner one is process 1
//! of the new process namespace and serves. Either dies when its parent does.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{WaitOptions, getegid, geteuid, getppid, waitpid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::serve;
use crate::identity::has_host_ids;
use crate::protocol::{self, During, Fault, Report};
use crate::sys::{self, Cloned};

/// Number of the socket to the server.
const SOCKET: i32 = 0;

pub(super) fn run() -> ! {
    // SAFETY: the server put the socket there, and nothing else in this process has taken it.
    let server = unsafe { OwnedFd::from_raw_fd(SOCKET) };
    match detach().and_then(|privileged| serve::run(&server, privileged)) {
        Ok(()) => sys::exit(0),
        Err(fault) => {
            let _ = protocol::send(&server, &Report::Unable(fault), &[]);
            sys::exit(1)
        }
    }
}

/// Returns in process 1 of the new namespaces: whether it is root of the host, or of a container with ids enough.
fn detach() -> Result<bool, Fault> {
    let parent = getppid();
    let privileged = own_namespaces()?;
    // A user namespace of its own may have cleared what the server set.
    sys::die_with_parent().during("be bound to the server")?;
    if getppid() != parent {
        sys::exit(1);
    }
    mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .during("keep mounts private")?;
    match sys::clone(0).during("fork")? {
        Cloned::Parent(child, _) => {
            // Otherwise the server would not see the inner process end.
            sys::close_from(0, false).during("close descriptors")?;
            let _ = waitpid(Some(child), WaitOptions::empty());
            sys::exit(0)
        }
        Cloned::Child => {
            sys::die_with_parent().during("be bound to the server")?;
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount(c"proc", c"/proc", c"proc", flags, None).during("mount /proc")?;
            Ok(privileged)
        }
    }
}

/// Gets namespaces for processes and mounts; whether that took no user namespace.
fn own_namespaces() -> Result<bool, Fault> {
    let wanted = UnshareFlags::NEWPID | UnshareFlags::NEWNS;
    // SAFETY: none of these flags concerns memory or descriptors.
    if has_host_ids() && unsafe { unshare_unsafe(wanted) }.is_ok() {
        return Ok(true);
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    // SAFETY: as above.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.during("make a user namespace")?;
    let map = || -> io::Result<()> {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1"))
    };
    map().during("map the user into a namespace")?;
    // SAFETY: as above.
    unsafe { unshare_unsafe(wanted) }.during("make process and mount namespaces")?;
    Ok(false)
}
