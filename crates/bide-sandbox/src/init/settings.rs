//! Settings of the kernel for one instance, by its own `/proc`, which nobody writes to afterwards.
//!
//! Owns their values. They hold for the user namespace or the process and end with them.

use std::fs;
use std::io;

use rustix::mount::{MountFlags, mount_remount};

use crate::protocol::{During, Fault};

/// What the kernel counts by user namespace (namespaces(7), inotify(7)). An ordinary user's instances share what that user
/// may have, so one must not take it all.
const COUNTED: [(&str, &str); 3] = [
    ("/proc/sys/user/max_user_namespaces", "0"),
    ("/proc/sys/user/max_inotify_instances", "16"),
    ("/proc/sys/user/max_inotify_watches", "8192"),
];

/// Must be called inside, with privileges over the user and mount namespaces.
pub(super) fn apply() -> Result<(), Fault> {
    for (file, value) in COUNTED {
        set(file, value).during(&format!("set {file}"))?;
    }
    let flags =
        MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount_remount(c"/proc", flags, c"").during("make /proc read-only")
}

/// A kernel without the setting has nothing to bound.
fn set(file: &str, value: &str) -> io::Result<()> {
    match fs::write(file, value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
