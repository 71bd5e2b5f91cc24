//! Putting a root together and moving there, in process 1 of an instance.
//!
//! Owns the order: `/proc` is mounted while the host's is still visible, since the kernel asks for that; what the program
//! may write comes last; then the old root goes, and with it every way back.

use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{MountFlags, MoveMountFlags, UnmountFlags, mount, move_mount, unmount};
use rustix::process::{chdir, pivot_root};

use super::Parts;
use crate::protocol::{During, Fault};

/// One inode per this many bytes of quota; an inode costs the kernel about a kilobyte that no quota counts.
const TMP_BYTES_PER_INODE: u64 = 8 * 1024;

/// Moves the calling process, which has a mount namespace of its own, into its new root.
pub(crate) fn enter(parts: &Parts, attach_point: &Path, tmp_bytes_max: u64) -> Result<(), Fault> {
    let from_descriptor = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
    move_mount(&parts.root, c"", CWD, attach_point, from_descriptor).during("attach the root")?;
    chdir(attach_point).during("enter the root")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(c"proc", c"proc", c"proc", flags, None).during("mount /proc")?;
    let quota = tmp_options(tmp_bytes_max);
    mount(c"tmpfs", c"tmp", c"tmpfs", MountFlags::NOSUID | MountFlags::NODEV, Some(quota.as_c_str()))
        .during("mount /tmp")?;
    for (tree, target) in &parts.binds {
        let inside = Path::new(OsStr::from_bytes(target.to_bytes()));
        if inside.starts_with("tmp") {
            // The template's mount point is covered.
            std::fs::create_dir_all(inside).during("make a mount point in /tmp")?;
        }
        move_mount(tree, c"", CWD, target, from_descriptor)
            .during(&format!("show /{}", target.to_string_lossy()))?;
    }
    // With the old root put on top of the new one, no directory is needed for it.
    pivot_root(c".", c".").during("change the root")?;
    unmount(c".", UnmountFlags::DETACH).during("leave the old root")?;
    chdir(c"/").during("enter the root")
}

fn tmp_options(bytes: u64) -> CString {
    let inodes = bytes / TMP_BYTES_PER_INODE + 64;
    let options = format!("size={bytes},nr_inodes={inodes},mode=1777");
    CString::new(options).expect("has no NUL")
}
