//! The cache of unpacked code: each package once, shared by all its instances.
//!
//! Owns `<cache_dir>/code`. A package is unpacked beside its place and renamed into it, so a crash of the server leaves
//! at most a directory that the next start removes. Nothing is flushed to disk: the completion marker holds the
//! machine's boot id, and what was unpacked before the last boot is unpacked again. Whoever holds a [`CodeDir`] keeps it
//! from being removed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
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
    /// One cell per digest, so that concurrent starts share one unpack.
    cells: Mutex<HashMap<String, Arc<OnceCell<CodeDir>>>>,
}

/// A directory with an unpacked package; it stays as long as somebody holds it.
pub(crate) type CodeDir = Arc<PathBuf>;

const MARKER: &str = "complete";
const FILES: &str = "files";
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

    /// The directory with the unpacked package.
    pub(crate) async fn directory(&self, digest: &str) -> Result<CodeDir, CodeError> {
        if digest.is_empty() || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CodeError::BadDigest(digest.chars().take(64).collect()));
        }
        let cell = {
            let mut cells = self.cells.lock().expect("nothing panics while it holds the lock");
            Arc::clone(cells.entry(digest.to_owned()).or_default())
        };
        cell.get_or_try_init(|| async { self.provide(digest).await.map(Arc::new) }).await.cloned()
    }

    /// Removes what is unpacked of packages other than `keep`, unless somebody holds it. Blocks.
    pub(crate) fn retain(&self, keep: &HashSet<String>) -> io::Result<()> {
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

    async fn provide(&self, digest: &str) -> Result<PathBuf, CodeError> {
        let place = self.root.join(digest);
        if fs::read_to_string(place.join(MARKER)).is_ok_and(|boot_id| boot_id == self.boot_id) {
            return Ok(place.join(FILES));
        }
        let zip = self.source.fetch(digest).await.map_err(CodeError::Fetch)?;
        let partial = self.root.join(format!("{digest}{PARTIAL_SUFFIX}"));
        let boot_id = self.boot_id.clone();
        let files = place.join(FILES);
        tokio::task::spawn_blocking(move || fill(&zip, &boot_id, &partial, &place))
            .await
            .map_err(|error| CodeError::Write(io::Error::other(error)))??;
        Ok(files)
    }
}

/// Whether somebody uses the directory, or is just being given it.
fn is_held(cell: &Arc<OnceCell<CodeDir>>) -> bool {
    Arc::strong_count(cell) > 1 || cell.get().is_some_and(|directory| Arc::strong_count(directory) > 1)
}

fn fill(zip: &[u8], boot_id: &str, partial: &Path, place: &Path) -> Result<(), CodeError> {
    for old in [partial, place] {
        match fs::remove_dir_all(old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(CodeError::Write(error)),
            _ => {}
        }
    }
    let files = partial.join(FILES);
    fs::create_dir_all(&files).map_err(CodeError::Write)?;
    package::unpack(zip, &files)?;
    fs::write(partial.join(MARKER), boot_id).map_err(CodeError::Write)?;
    fs::rename(partial, place).map_err(CodeError::Write)
}

#[cfg(test)]
mod tests;
