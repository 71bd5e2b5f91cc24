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
        match self.available() {
            Some(available) if available < self.bytes => {
                Err(StoreError::NoSpace { available, reserve: self.bytes })
            }
            _ => Ok(()),
        }
    }

    /// Whether so many bytes more leave the reserve alone.
    pub(crate) fn has_room_for(&self, bytes: u64) -> bool {
        self.available().is_none_or(|available| available >= self.bytes.saturating_add(bytes))
    }

    /// Free bytes; a file system that cannot tell shows when it is full.
    fn available(&self) -> Option<u64> {
        let disk = fstatvfs(&self.directory).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }
}
