//! The cache of unpacked code: each package, and each list of layers, once, shared by all its instances.
//!
//! Owns `<cache_dir>/code`. A directory holds one package, or several laid over one another: where two have the same
//! file, the first in the list wins (FC "Use layers"). It is made beside its place and renamed into it, so a crash of the
//! server leaves at most a directory that the next start removes. Nothing is flushed to disk: the completion marker holds the
//! machine's boot id, and what was unpacked before the last boot is unpacked again. Whoever holds a [`CodeDir`] keeps it
//! from being removed.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bide_types::limits::CODE_UNPACKED_BYTES_MAX;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use crate::executor::BoxFuture;
use crate::package;

/// Where code packages come from.
pub trait CodeSource: Send + Sync + 'static {
    /// The zip with this digest (lower-case hex SHA-256), whole and verified.
    fn fetch(&self, digest: &str) -> BoxFuture<'_, io::Result<Bytes>>;
}

/// Code could not be made available: the platform's fault, since packages are inspected at upload.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CodeError {
    #[error("'{0}' is no digest")]
    BadDigest(String),
    #[error("the packages have more than {CODE_UNPACKED_BYTES_MAX} bytes together when unpacked")]
    TooLarge,
    #[error("the code package cannot be read")]
    Fetch(#[source] io::Error),
    #[error(transparent)]
    Package(#[from] package::PackageError),
    #[error("the code cache cannot be written")]
    Write(#[source] io::Error),
}

/// Unpacks packages on demand.
pub(crate) struct CodeCache {
    root: PathBuf,
    boot_id: String,
    source: Arc<dyn CodeSource>,
    /// One cell per directory, so that concurrent starts share one unpack.
    cells: Mutex<HashMap<String, Arc<OnceCell<CodeDir>>>>,
}

/// A directory with unpacked packages; it stays as long as somebody holds it.
pub(crate) type CodeDir = Arc<PathBuf>;

const MARKER: &str = "complete";
const FILES: &str = "files";
/// The package that is about to be laid over the others; gone once the directory is complete.
const NEXT: &str = "next";
const PARTIAL_SUFFIX: &str = ".partial";
/// Ends like a partial one, so that what a crash leaves of it is removed at the next start.
const REMOVED_SUFFIX: &str = ".removed.partial";

impl CodeCache {
    /// Opens the cache at `root`, creating it if need be, and removes what a crash left half done.
    pub(crate) fn open(root: PathBuf, source: Arc<dyn CodeSource>) -> io::Result<Self> {
        fs::create_dir_all(&root)?;
        for entry in fs::read_dir(&root)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(PARTIAL_SUFFIX) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        // Without a boot id (never on Linux) the marker never matches an old one.
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .unwrap_or_else(|_| format!("process {}", std::process::id()));
        Ok(Self { root, boot_id, source, cells: Mutex::new(HashMap::new()) })
    }

    /// The directory with the packages unpacked over one another.
    pub(crate) async fn directory(&self, packages: &[String]) -> Result<CodeDir, CodeError> {
        let is_digest = |text: &String| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if let Some(bad) = packages.iter().find(|digest| !is_digest(digest)) {
            return Err(CodeError::BadDigest(bad.chars().take(64).collect()));
        }
        let name = directory_name(packages);
        let cell = {
            let mut cells = self.cells.lock().expect("nothing panics while it holds the lock");
            Arc::clone(cells.entry(name.clone()).or_default())
        };
        cell.get_or_try_init(|| async { self.provide(&name, packages).await.map(Arc::new) }).await.cloned()
    }

    /// Removes what is unpacked and not in `used`, unless somebody holds it. Blocks.
    pub(crate) fn retain(&self, used: &[Vec<String>]) -> io::Result<()> {
        let keep: HashSet<String> = used.iter().map(|packages| directory_name(packages)).collect();
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if keep.contains(&name) || name.ends_with(PARTIAL_SUFFIX) {
                continue;
            }
            let aside = self.root.join(format!("{name}{REMOVED_SUFFIX}"));
            {
                let mut cells = self.cells.lock().expect("nothing panics while it holds the lock");
                if cells.get(&name).is_some_and(is_held) {
                    continue;
                }
                cells.remove(&name);
                // Under the lock, so that nobody is given the directory while it goes.
                fs::rename(entry.path(), &aside)?;
            }
            fs::remove_dir_all(&aside)?;
        }
        Ok(())
    }

    async fn provide(&self, name: &str, packages: &[String]) -> Result<PathBuf, CodeError> {
        let place = self.root.join(name);
        if fs::read_to_string(place.join(MARKER)).is_ok_and(|boot_id| boot_id == self.boot_id) {
            return Ok(place.join(FILES));
        }
        let partial = self.root.join(format!("{name}{PARTIAL_SUFFIX}"));
        let (files, next) = (partial.join(FILES), partial.join(NEXT));
        let (old, fresh) = ([partial.clone(), place.clone()], files.clone());
        blocking(move || begin(&old, &fresh)).await?;
        let mut left = CODE_UNPACKED_BYTES_MAX;
        for digest in packages.iter().rev() {
            let zip = self.source.fetch(digest).await.map_err(CodeError::Fetch)?;
            let (files, next) = (files.clone(), next.clone());
            let unpacked_bytes = blocking(move || lay_over(&zip, &files, &next)).await?;
            left = left.checked_sub(unpacked_bytes).ok_or(CodeError::TooLarge)?;
        }
        let (boot_id, done) = (self.boot_id.clone(), place.join(FILES));
        blocking(move || finish(&boot_id, &partial, &place)).await?;
        Ok(done)
    }
}

/// What the directory of these packages is called: one package by its digest, several by the digest of the list.
fn directory_name(packages: &[String]) -> String {
    match packages {
        [one] => one.clone(),
        several => {
            let mut digest = Sha256::new();
            several.iter().for_each(|package| digest.update(package.as_bytes()));
            let mut name = "layers-".to_owned();
            for byte in digest.finalize() {
                write!(name, "{byte:02x}").expect("text can be written to");
            }
            name
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CodeError> + Send + 'static,
) -> Result<T, CodeError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| CodeError::Write(io::Error::other(error)))?
}

/// Whether somebody uses the directory, or is just being given it.
fn is_held(cell: &Arc<OnceCell<CodeDir>>) -> bool {
    Arc::strong_count(cell) > 1 || cell.get().is_some_and(|directory| Arc::strong_count(directory) > 1)
}

/// Makes room for a directory that is to be filled.
fn begin(old: &[PathBuf], files: &Path) -> Result<(), CodeError> {
    for old in old {
        match fs::remove_dir_all(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(CodeError::Write(error)),
            _ => {}
        }
    }
    package::make_directory(files).map_err(CodeError::Write)
}

/// Unpacks a package over what is in `files`, by way of the directory `next`; returns the size of its files.
fn lay_over(zip: &[u8], files: &Path, next: &Path) -> Result<u64, CodeError> {
    fs::create_dir(next).map_err(CodeError::Write)?;
    let info = package::unpack(zip, next)?;
    merge(next, files).map_err(CodeError::Write)?;
    fs::remove_dir_all(next).map_err(CodeError::Write)?;
    Ok(info.unpacked_bytes)
}

/// Moves everything in `from` to `to`; what is in the way goes, but directories are joined. Never goes through a link, so
/// a directory above an entry is always a real one, and a link leads where its package's check said.
fn merge(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let present = match fs::symlink_metadata(&target) {
            Ok(metadata) => Some(metadata.is_dir()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match (entry.file_type()?.is_dir(), present) {
            (true, Some(true)) => merge(&entry.path(), &target)?,
            (_, present) => {
                match present {
                    Some(true) => fs::remove_dir_all(&target)?,
                    Some(false) => fs::remove_file(&target)?,
                    None => {}
                }
                fs::rename(entry.path(), &target)?;
            }
        }
    }
    Ok(())
}

fn finish(boot_id: &str, partial: &Path, place: &Path) -> Result<(), CodeError> {
    fs::write(partial.join(MARKER), boot_id).map_err(CodeError::Write)?;
    fs::rename(partial, place).map_err(CodeError::Write)
}

#[cfg(test)]
mod tests;
