//! Space of the disk that is kept back, so that what was accepted can be settled.
//!
//! A write that the disk refuses fails the store for good, so new work is refused before. Owns the question how much is
//! left: one system call, asked for every batch. Never holds space: other programs can take the reserve. Nothing is left
//! behind by a crash.

use std::fs::File;
use std::io;
use std::path::Path;

use bide_store::StoreError;
use rustix::fs::fstatvfs;

pub(crate) struct Reserve {
    /// Of the data.
    directory: File,
    bytes: u64,
}

impl Reserve {
    pub(crate) fn new(directory: &Path, bytes: u64) -> io::Result<Self> {
        Ok(Self { directory: File::open(directory)?, bytes })
    }

    /// Refuses when less than the reserve is left.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        if self.bytes == 0 {
            return Ok(());
        }
        // A file system that cannot tell shows when it is full.
        let Ok(disk) = fstatvfs(&self.directory) else { return Ok(()) };
        let available = disk.f_bavail.saturating_mul(disk.f_frsize);
        if available < self.bytes {
            return Err(StoreError::NoSpace { available, reserve: self.bytes });
        }
        Ok(())
    }
}
