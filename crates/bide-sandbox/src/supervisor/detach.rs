//! From the server's child to a supervisor in namespaces of its own.
//!
//! Owns the two processes: the outer one, child of the server, makes the namespaces and waits; the inner one is process 1
//! of the new process namespace and serves. The inner one dies when the outer one does, and the outer one ends it, and then
//! itself, when the server ends, so that it can remove the control groups.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Pid, Signal, WaitOptions, getegid, geteuid, getppid, pidfd_send_signal, waitpid};
use rustix::thread::{UnshareFlags, unshare_unsafe};

use super::confinement::Confinement;
use super::serve;
use crate::identity::has_host_ids;
use crate::protocol::{self, During, Fault, Report};
use crate::sys::{self, Cloned};

/// What the kernel counts by user, and an ordinary user's server shares with its instances: all of those together get three
/// quarters.
const SHARED: [&str; 2] = ["/proc/sys/user/max_inotify_instances", "/proc/sys/user/max_inotify_watches"];
/// Number of the socket to the server.
const SOCKET: i32 = 0;

pub(super) fn run() -> ! {
    // SAFETY: the server put the socket there, and nothing else in this process has taken it.
    let server = unsafe { OwnedFd::from_raw_fd(SOCKET) };
    match detach().and_then(|(privileged, confinement)| serve::run(&server, privileged, confinement)) {
        Ok(()) => sys::exit(0),
        Err(fault) => {
            let _ = protocol::send(&server, &Report::Unable(fault), &[]);
            sys::exit(1)
        }
    }
}

/// Returns in process 1 of the new namespaces: whether it is root of the host, or of a container with ids enough; and what
/// else this host offers.
fn detach() -> Result<(bool, Confinement), Fault> {
    let parent = getppid();
    let confinement = Confinement::find()?;
    let privileged = own_namespaces()?;
    // A user namespace of its own may have cleared what the server set.
    sys::die_with_parent().during("be bound to the server")?;
    if getppid() != parent {
        sys::exit(1);
    }
    mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .during("keep mounts private")?;
    match sys::clone(0).during("fork")? {
        Cloned::Parent(child, descriptor) => {
            wait_for_end(&descriptor, &confinement, parent).during("wait for the end")?;
            // Whatever ended first, everything ends now; only then can the control groups be removed.
            let _ = pidfd_send_signal(&descriptor, Signal::KILL);
            let _ = waitpid(Some(child), WaitOptions::empty());
            drop(confinement);
            sys::exit(0)
        }
        Cloned::Child => {
            sys::die_with_parent().during("be bound to the server")?;
            let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
            mount(c"proc", c"/proc", c"proc", flags, None).during("mount /proc")?;
            Ok((privileged, confinement))
        }
    }
}

/// Returns when the inner process has ended, or the server has.
fn wait_for_end(inner: &OwnedFd, confinement: &Confinement, server: Option<Pid>) -> io::Result<()> {
    let signals = sys::signals(&[libc::SIGTERM])?;
    sys::hear_of_parents_end(libc::SIGTERM)?;
    if getppid() != server {
        return Ok(());
    }
    // The socket goes: otherwise the server would not see the inner process end. The locks on the control groups stay.
    let locks = confinement.cgroups.locks().map(|lock| lock.as_raw_fd());
    let mut keep: Vec<_> = locks.chain([inner.as_raw_fd(), signals.as_raw_fd()]).collect();
    sys::close_all_but(&mut keep)?;
    let mut watched = [PollFd::new(inner, PollFlags::IN), PollFd::new(&signals, PollFlags::IN)];
    while poll(&mut watched, None) == Err(Errno::INTR) {}
    Ok(())
}

/// Gets namespaces for processes, mounts and the host name (to which it must be able to return from that of an instance);
/// whether that took no user namespace.
fn own_namespaces() -> Result<bool, Fault> {
    let wanted = UnshareFlags::NEWPID | UnshareFlags::NEWNS | UnshareFlags::NEWUTS;
    // SAFETY: none of these flags concerns memory or descriptors.
    if has_host_ids() && unsafe { unshare_unsafe(wanted) }.is_ok() {
        return Ok(true);
    }
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let watchers = SHARED.map(|file| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok());
    // SAFETY: as above.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.during("make a user namespace")?;
    let map = || -> io::Result<()> {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1"))
    };
    map().during("map the user into a namespace")?;
    for (file, all) in SHARED.iter().zip(watchers) {
        // Where it cannot be set (`/proc/sys` is read-only in some containers), each instance still has its own limit.
        let _ = all.map(|all| fs::write(file, (all / 4 * 3).to_string()));
    }
    // SAFETY: as above.
    unsafe { unshare_unsafe(wanted) }.during("make process, mount and host name namespaces")?;
    Ok(false)
}
