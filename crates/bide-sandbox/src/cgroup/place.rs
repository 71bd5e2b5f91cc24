//! One parent group `bide-<label>` in one hierarchy.
//!
//! Owns its directory, the lock that says its server lives, and the removal of what dead servers left beside it.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{Version, is_gone};

const PREFIX: &str = "bide-";
/// Other servers that start at the same moment and sweep; more than one is rare.
const CLAIM_ATTEMPTS_MAX: u32 = 5;

/// A parent group, removed when dropped.
#[derive(Debug)]
pub(super) struct Place {
    version: Version,
    directory: PathBuf,
    /// Locked for as long as this server lives; the kernel unlocks it when it dies.
    lock: File,
}

impl Place {
    /// Removes what dead servers left in `hierarchy`, and makes a parent of our own there.
    pub(super) fn claim(version: Version, hierarchy: &Path, label: &str) -> io::Result<Self> {
        sweep(hierarchy);
        let directory = hierarchy.join(format!("{PREFIX}{label}"));
        let mut attempt = 1;
        loop {
            match make_and_lock(&directory) {
                // Between making and locking it, another server may have taken it for one of a dead server.
                Err(error) if error.kind() == io::ErrorKind::NotFound && attempt < CLAIM_ATTEMPTS_MAX => {}
                result => return Ok(Self { version, lock: result?, directory }),
            }
            attempt += 1;
        }
    }

    pub(super) fn version(&self) -> Version {
        self.version
    }

    pub(super) fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Fails while a process is left in it; the next server sweeps it then.
        remove_tree(&self.directory);
    }
}

fn make_and_lock(directory: &Path) -> io::Result<File> {
    match fs::create_dir(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let lock = File::open(directory)?;
    flock(&lock, FlockOperation::NonBlockingLockExclusive)?;
    fs::metadata(directory)?;
    Ok(lock)
}

/// Removes the groups of servers that no longer run. What cannot be removed is left for the next time.
fn sweep(hierarchy: &Path) {
    for directory in children(hierarchy) {
        let ours = directory.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if !ours {
            continue;
        }
        let Ok(file) = File::open(&directory) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            remove_tree(&directory);
        }
    }
}

/// Removes a parent and the groups in it, which have none below them.
fn remove_tree(directory: &Path) {
    for child in children(directory) {
        is_gone(&child);
    }
    is_gone(directory);
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.map(|entry| entry.path()).collect()
}
