//! The file system of an instance.
//!
//! The supervisor prepares one template per set of mount points ([`template`]) and, per launch, detached copies of it and
//! of the directories to be shown ([`Parts`]). Process 1 puts them together in its own mount namespace ([`enter`]). All of
//! it lives in mount namespaces, so a crash leaves nothing behind.

pub(crate) mod enter;
mod etc;
pub(crate) mod slot;
pub(crate) mod template;

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::CWD;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::protocol::{Bind, During, Fault};
use crate::sys;

/// Where the supervisor keeps its templates, in its own mount namespace. What lies there on the host is not needed and
/// holds no directory that anybody would want to show.
const STAGES: [&str; 4] = ["/sys/kernel", "/boot", "/media", "/srv"];

/// What can be seen in every instance but must not be changed.
const SYSTEM_ATTRIBUTES: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
const WRITABLE_ATTRIBUTES: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;

/// How detached copies are made.
const DETACHED: OpenTreeFlags = OpenTreeFlags::OPEN_TREE_CLONE.union(OpenTreeFlags::OPEN_TREE_CLOEXEC);

/// Detached mounts that make up one root.
pub(crate) struct Parts {
    /// The template's copy.
    root: OwnedFd,
    /// Directories of the host and where they go, relative to the root.
    binds: Vec<(OwnedFd, CString)>,
}

impl Parts {
    /// # Errors
    /// The kernel's, e.g. when a directory does not exist.
    pub(crate) fn collect(root: OwnedFd, binds: &[Bind]) -> Result<Self, Fault> {
        let binds = binds.iter().filter(|bind| !template::shows(&bind.source, &bind.target)).map(|bind| {
            let attributes = if bind.writable { WRITABLE_ATTRIBUTES } else { SYSTEM_ATTRIBUTES };
            let mount = copy_of(&bind.source, attributes)
                .map_err(|error| std::io::Error::from_raw_os_error(error.raw_os_error().unwrap_or(libc::EIO)))
                .during(&format!("show {}", bind.source.to_string_lossy()))?;
            Ok((mount, relative(&bind.target)))
        });
        Ok(Self { root, binds: binds.collect::<Result<_, Fault>>()? })
    }

    /// One more mount, and where it goes.
    pub(crate) fn add(&mut self, mount: OwnedFd, target: &CStr) {
        self.binds.push((mount, relative(target)));
    }

    /// The descriptors that process 1 needs.
    pub(crate) fn descriptors(&self) -> impl Iterator<Item = &OwnedFd> {
        std::iter::once(&self.root).chain(self.binds.iter().map(|(mount, _)| mount))
    }
}

/// A detached copy of what is mounted at and beneath a path of the host.
fn copy_of(path: &CStr, attributes: u64) -> std::io::Result<OwnedFd> {
    let tree = open_tree(CWD, path, DETACHED | OpenTreeFlags::AT_RECURSIVE)?;
    sys::set_mount_attributes(tree.as_fd(), attributes, true)?;
    Ok(tree)
}

/// A path without its leading slashes.
fn relative(path: &CStr) -> CString {
    let bytes = path.to_bytes();
    let start = bytes.iter().position(|byte| *byte != b'/').unwrap_or(bytes.len());
    CString::new(&bytes[start..]).unwrap_or_default()
}
