//! Slots: directories of a standby whose content comes later.
//!
//! Process 1 of an instance has given up the right to mount when somebody decides what the instance is for. So a slot has
//! two ends: a shared mount of an empty directory in the supervisor's namespace, and a slave of it that the instance gets
//! for its root. What the supervisor mounts on its end, the kernel mounts on the other as well (mount_namespaces(7),
//! "SHARED SUBTREES"), locked and with the same attributes; nothing goes the other way, and each slot has a peer group of its
//! own, so nobody sees what another one shows. Filled or not, the supervisor's end goes without a trace when it is dropped,
//! and the instance keeps what it was given.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{MoveMountFlags, UnmountFlags, move_mount, open_tree, unmount};

use super::{DETACHED, SYSTEM_ATTRIBUTES, copy_of, template};
use crate::sys;

/// The supervisor's end.
pub(crate) struct Slot {
    path: PathBuf,
    mount: OwnedFd,
    /// How many mounts lie at `path`, one on the other.
    mounts: u32,
}

impl Slot {
    /// Makes one at `path`, where nothing is; also the end for the instance, detached. Both show `empty`, which must stay:
    /// with a directory the kernel removes what is mounted on it, in every namespace.
    pub(crate) fn make(path: PathBuf, empty: &Path) -> io::Result<(Self, OwnedFd)> {
        let mount = open_tree(CWD, empty, DETACHED)?;
        template::make_mount_point(&path)?;
        // From here on dropped, which removes what is there.
        let mut slot = Self { path, mount, mounts: 0 };
        slot.put_mount(None)?;
        sys::set_propagation(slot.mount.as_fd(), 0, libc::MS_SHARED)?;
        let other = open_tree(CWD, &slot.path, DETACHED)?;
        sys::set_propagation(other.as_fd(), SYSTEM_ATTRIBUTES, libc::MS_SLAVE)?;
        Ok((slot, other))
    }

    /// Shows a directory of the host at both ends.
    pub(crate) fn fill(&mut self, source: &CStr) -> io::Result<()> {
        self.put_mount(Some(copy_of(source, SYSTEM_ATTRIBUTES)?))
    }

    /// Attaches a detached mount, this end's own if none is given.
    fn put_mount(&mut self, tree: Option<OwnedFd>) -> io::Result<()> {
        let tree = tree.as_ref().unwrap_or(&self.mount);
        move_mount(tree, c"", CWD, &self.path, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)?;
        self.mounts += 1;
        Ok(())
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // Parted from the other end first, which would otherwise lose what it shows.
        if sys::set_propagation(self.mount.as_fd(), 0, libc::MS_PRIVATE).is_ok() {
            for _ in 0..self.mounts {
                let _ = unmount(&self.path, UnmountFlags::DETACH);
            }
        }
        let _ = fs::remove_dir(&self.path);
    }
}
