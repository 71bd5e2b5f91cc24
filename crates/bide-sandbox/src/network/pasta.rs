//! `pasta` (package passt): a process that carries an instance's packets outside, without privilege over the host.
//!
//! Owns how it is started and ended. It runs as the instance's user, in the instance's user namespace (which gives it
//! capabilities over the instance's network and nothing else), outside its process and mount namespaces: user code
//! cannot see it. It empties its own root, installs a system call filter and forwards no ports, neither in nor to the
//! loopback device of the host. It ends when this is dropped or the supervisor dies.

use std::fs::File;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::surroundings::Families;
use super::trap::{ADDRESS_V4, ADDRESS_V6};
use super::{DNS_V4, DNS_V6};

/// Where packages put it. The `PATH` of the server is not asked: what runs here must not depend on it.
const PLACES: [&str; 3] = ["/usr/bin/pasta", "/usr/local/bin/pasta", "/bin/pasta"];
/// What it says when it is ready or cannot go on; the rest is dropped.
const REPORT_BYTES_MAX: usize = 4096;
/// The user of an instance, as numbered inside.
const INSTANCE_USER: u32 = 1000;
/// The network of [`ADDRESS_V4`] and who is asked to pass packets on: nobody, pasta answers for all.
const NETWORK_BITS_V4: u8 = 29;
const GATEWAY_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 1);
const GATEWAY_V6: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// What it needs: to enter the network namespace, and to configure the device in it.
const CAPABILITIES: CapabilitySet = CapabilitySet::SYS_ADMIN.union(CapabilitySet::NET_ADMIN);

/// A running one.
#[derive(Debug)]
pub(super) struct Pasta {
    pidfd: OwnedFd,
}

/// What one that was started says.
#[derive(Debug)]
pub(super) struct Report {
    pipe: io::PipeReader,
    text: Vec<u8>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Starting,
    Ready,
    Failed(String),
}

/// The program, if it is installed.
pub(super) fn find() -> Option<PathBuf> {
    PLACES.iter().map(PathBuf::from).find(|path| path.is_file())
}

/// Starts one for the network of process `instance`, whose user namespace is a child of ours.
///
/// # Errors
/// The kernel's.
pub(super) fn start(program: &Path, instance: Pid, families: Families) -> io::Result<(Pasta, Report)> {
    let user = File::open(format!("/proc/{}/ns/user", instance.as_raw_nonzero()))?;
    let network = File::open(format!("/proc/{}/ns/net", instance.as_raw_nonzero()))?;
    let (reader, writer) = io::pipe()?;
    rustix::io::ioctl_fionbio(&reader, true)?;
    // It opens the pipe anew by its name in /proc, as another user. Nobody else has a descriptor of it.
    rustix::fs::fchmod(&writer, rustix::fs::Mode::from_raw_mode(0o622))?;
    let mut command = Command::new(program);
    command.args(arguments(families)).env_clear().current_dir("/");
    command.stdin(network).stdout(writer.try_clone()?).stderr(writer);
    let namespace = user.as_raw_fd();
    // SAFETY: `enter` runs between fork and exec in a copy of this process. It only makes system calls, allocates nothing
    // and takes no lock; `namespace` stays open until after the fork.
    unsafe {
        command.pre_exec(move || enter(namespace));
    }
    let child = command.spawn()?;
    let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
    Ok((Pasta { pidfd }, Report { pipe: reader, text: Vec::new() }))
}

/// What every instance gets. All versions since early 2023 know these options.
const OPTIONS: &[&str] = &[
    "--foreground",
    "--quiet",
    "--config-net",
    "--ns-ifname=eth0",
    // No port of the host leads inside, none of the inside to the host.
    "--tcp-ports=none",
    "--udp-ports=none",
    "--tcp-ns=none",
    "--udp-ns=none",
    "--no-map-gw",
    // Addresses are given, not asked for.
    "--no-dhcp",
    "--no-dhcpv6",
    "--no-ra",
    // It is ended, and need not watch the namespace.
    "--netns-only",
    "--no-netns-quit",
    "--netns=/proc/self/fd/0",
    "--pid=/proc/self/fd/1",
];

fn arguments(families: Families) -> Vec<String> {
    let mut arguments: Vec<String> = OPTIONS.iter().copied().map(str::to_owned).collect();
    if families.v4 {
        arguments.push(format!("--address={ADDRESS_V4}"));
        arguments.push(format!("--netmask={NETWORK_BITS_V4}"));
        arguments.push(format!("--gateway={GATEWAY_V4}"));
        arguments.push(format!("--dns-forward={DNS_V4}"));
    } else {
        arguments.push("--ipv6-only".to_owned());
    }
    if families.v6 {
        arguments.push(format!("--address={ADDRESS_V6}"));
        arguments.push(format!("--gateway={GATEWAY_V6}"));
        arguments.push(format!("--dns-forward={DNS_V6}"));
    } else {
        arguments.push("--ipv4-only".to_owned());
    }
    arguments
}

/// Becomes the user of the instance, with capabilities over its network that survive the exec.
fn enter(user_namespace: RawFd) -> io::Result<()> {
    // Refused where groups cannot be changed (an ordinary user's namespace): they are the server's own then.
    // SAFETY: plain system calls on integers; no group list is read when its length is zero. The raw calls change
    // this thread only, and it is the only one.
    unsafe {
        libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>());
        check(libc::setns(user_namespace, libc::CLONE_NEWUSER).into())?;
        let id = INSTANCE_USER;
        check(libc::syscall(libc::SYS_setresgid, id, id, id))?;
        check(libc::syscall(libc::SYS_setresuid, id, id, id))?;
        // After the change of user, which clears it.
        check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL).into())?;
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0).into())?;
        check(libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC))?;
    }
    let sets = CapabilitySets { effective: CAPABILITIES, permitted: CAPABILITIES, inheritable: CAPABILITIES };
    rustix::thread::set_capabilities(None, sets)?;
    for capability in [CapabilitySet::SYS_ADMIN, CapabilitySet::NET_ADMIN] {
        rustix::thread::configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

fn check(result: libc::c_long) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

impl Report {
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }

    /// Reads what there is. It writes its number, alone on a line, when the network is up.
    pub(super) fn progress(&mut self) -> io::Result<Progress> {
        let mut buffer = [0; REPORT_BYTES_MAX];
        match self.pipe.read(&mut buffer) {
            Ok(0) => return Ok(Progress::Failed(self.last_line())),
            Ok(length) => {
                let room = REPORT_BYTES_MAX.saturating_sub(self.text.len());
                self.text.extend(&buffer[..length.min(room)]);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(if self.has_number() { Progress::Ready } else { Progress::Starting })
    }

    fn has_number(&self) -> bool {
        let complete =
            self.text.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
        complete.into_iter().any(|line| !line.is_empty() && line.iter().all(u8::is_ascii_digit))
    }

    fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").to_owned()
    }
}

/// Reaped like everything else whose parent is the supervisor, process 1 of its namespace.
impl Drop for Pasta {
    fn drop(&mut self) {
        let _ = pidfd_send_signal(&self.pidfd, Signal::KILL);
    }
}

#[cfg(test)]
mod tests;
