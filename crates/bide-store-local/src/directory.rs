//! The data directory: who may use it, and how it comes to be.
//!
//! Owns `lock`, `store/` (the engine's files) and the format number. A new database is made whole under the name
//! `store.new` and then renamed, so a crash while it is made leaves nothing that could be mistaken for data; the next
//! opening begins again.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use bide_store::StoreError;
use fjall::PersistMode;

use crate::journal;
use crate::keys::{Space, meta};
use crate::recover::number;
use crate::tables::{Tables, TablesError};

const LOCK_FILE: &str = "lock";
const STORE_DIRECTORY: &str = "store";
const NEW_STORE_DIRECTORY: &str = "store.new";
pub(crate) const PACKAGES_DIRECTORY: &str = "packages";

/// Why a data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "the data directory {} is in use by another bide process; stop that one first, or choose another directory",
        .directory.display()
    )]
    InUse { directory: PathBuf },
    #[error("there is no bide store in {}", .directory.display())]
    NotAStore { directory: PathBuf },
    #[error(
        "the data directory {} has format {found}, and this build of bide knows formats up to {known}; \
         run the version of bide that wrote it, or a newer one",
        .directory.display()
    )]
    TooNew { directory: PathBuf, found: u64, known: u64 },
    #[error("cannot use {}", .path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "cannot open the store in {}: {reason}; if the disk is full, make room; otherwise restore from a copy",
        .directory.display()
    )]
    Engine { directory: PathBuf, reason: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An open data directory. It stays locked until this is dropped.
pub(crate) struct Directory {
    // Before the lock, so that the files are closed when the directory is given free.
    pub(crate) tables: Tables,
    _lock: File,
}

/// Whether a missing store is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Create,
    Refuse,
}

impl Directory {
    pub(crate) fn open(path: &Path, missing: Missing) -> Result<Self, OpenError> {
        let store = path.join(STORE_DIRECTORY);
        if missing == Missing::Refuse && !store.exists() {
            return Err(OpenError::NotAStore { directory: path.to_owned() });
        }
        make(path).map_err(|source| io_error(path, source))?;
        let lock = lock(path)?;
        if !store.exists() {
            create(path, &store)?;
        }
        journal::prepare(&store)?;
        let tables = Tables::open(&store).map_err(|error| engine_error(path, &error))?;
        match number(&tables, meta::FORMAT_KEY)? {
            Some(..=meta::FORMAT) => Ok(Self { tables, _lock: lock }),
            Some(found) => Err(OpenError::TooNew { directory: path.to_owned(), found, known: meta::FORMAT }),
            None => Err(StoreError::Damaged {
                place: format!("{}/{}", Space::Meta.name(), meta::FORMAT_KEY),
                reason: "the format number is missing".to_owned(),
            }
            .into()),
        }
    }

    /// Counts one more start, durably, and returns its number: the holder of this start's leases. From then on the
    /// directory is of this build's format, before anything is written in it.
    pub(crate) fn next_holder(&self) -> Result<u64, OpenError> {
        let holder = number(&self.tables, meta::HOLDER_KEY)?.unwrap_or(0) + 1;
        put_numbers(&self.tables, &[(meta::FORMAT_KEY, meta::FORMAT), (meta::HOLDER_KEY, holder)]).map_err(
            |error| StoreError::Faulted { reason: format!("writing the start number failed: {error}") },
        )?;
        Ok(holder)
    }
}

/// Makes the directory closed to other users: events, results, settings and code of functions are in it. One that is there
/// stays as its owner wants it.
fn make(path: &Path) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made,
    }
}

fn lock(path: &Path) -> Result<File, OpenError> {
    let lock_path = path.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&lock_path)
        .map_err(|source| io_error(&lock_path, source))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { directory: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io_error(&lock_path, source)),
    }
}

fn create(path: &Path, store: &Path) -> Result<(), OpenError> {
    let fresh = path.join(NEW_STORE_DIRECTORY);
    if fresh.exists() {
        fs::remove_dir_all(&fresh).map_err(|source| io_error(&fresh, source))?;
    }
    let tables = Tables::create(&fresh).map_err(|error| engine_error(path, &error))?;
    put_numbers(&tables, &[(meta::FORMAT_KEY, meta::FORMAT)])
        .map_err(|error| engine_error(path, &error.into()))?;
    drop(tables);
    fs::rename(&fresh, store).map_err(|source| io_error(&fresh, source))?;
    sync_directory(path)?;
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => Ok(()),
    }
}

fn put_numbers(tables: &Tables, numbers: &[(&str, u64)]) -> Result<(), fjall::Error> {
    let mut batch = tables.database().batch().durability(Some(PersistMode::SyncAll));
    for (name, number) in numbers {
        batch.insert(tables.space(Space::Meta), *name, meta::encode(*number));
    }
    batch.commit()
}

pub(crate) fn sync_directory(path: &Path) -> Result<(), OpenError> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(|source| io_error(path, source))
}

fn io_error(path: &Path, source: io::Error) -> OpenError {
    OpenError::Io { path: path.to_owned(), source }
}

fn engine_error(directory: &Path, error: &TablesError) -> OpenError {
    match error {
        TablesError::Engine(fjall::Error::Locked) => OpenError::InUse { directory: directory.to_owned() },
        error => OpenError::Engine { directory: directory.to_owned(), reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests;
