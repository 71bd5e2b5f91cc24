//! The engine's journal, looked at before the engine opens it.
//!
//! A crash may leave the end of the newest journal torn: a group that nobody was answered for, some of whose pages did
//! not reach the disk. The engine cuts off a torn end, but in two cases it does what we must not do. It also cuts where
//! something in the middle was damaged later, and so loses answered groups without a word; and it refuses a torn end
//! whose pages reached the disk out of order, though nothing is wrong. So this module decides first: a torn end is cut
//! off here, and damage that is followed by whole groups is told, with its place.
//!
//! Owns that decision, and reads the engine's format for it (see `batch`). Cutting is the only thing that it writes; a
//! crash before or after leaves a journal that it would judge in the same way.

mod batch;

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use bide_store::StoreError;

use batch::read_batch;

/// Buffer for reading a journal through.
const BUFFER_BYTES: usize = 256 * 1024;

/// What is behind the last whole group of a journal.
#[derive(Debug, PartialEq, Eq)]
enum Tail {
    /// Nothing, or the zeros that the engine reserves.
    Clean,
    /// Something that is no whole group, and nothing after it.
    Torn,
    /// Something that is no whole group, and a whole group after it.
    Damaged,
}

/// Judges every journal in the engine's directory, and cuts off the torn end of the newest.
///
/// # Errors
/// [`StoreError::Damaged`] when answered groups cannot be read, [`StoreError::Read`] when the disk does not answer.
pub(crate) fn prepare(store: &Path) -> Result<(), StoreError> {
    let journals = journals(store).map_err(|error| read_error(store, &error))?;
    let newest = journals.last().map(|(number, _)| *number);
    for (number, path) in journals {
        let (end, tail) = examine(&path).map_err(|error| read_error(&path, &error))?;
        match tail {
            Tail::Clean => {}
            Tail::Torn if Some(number) == newest => {
                cut(&path, end).map_err(|error| read_error(&path, &error))?
            }
            // An older journal was flushed whole before the next one was begun.
            Tail::Torn | Tail::Damaged => {
                return Err(StoreError::Damaged {
                    place: format!("{} at byte {end}", path.display()),
                    reason: "the journal cannot be read there, but it goes on".to_owned(),
                });
            }
        }
    }
    Ok(())
}

/// The journals by number, the oldest first.
fn journals(store: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut journals = Vec::new();
    for entry in fs::read_dir(store)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".jnl")?.parse().ok());
        journals.extend(number.map(|number| (number, path)));
    }
    journals.sort_unstable();
    Ok(journals)
}

/// Where the last whole group ends, and what is behind it.
fn examine(path: &Path) -> io::Result<(u64, Tail)> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut end = 0;
    while let Some(bytes) = read_batch(&mut reader, length - end)? {
        end += bytes;
    }
    reader.seek(SeekFrom::Start(end))?;
    let mut rest = Vec::new(); // at most one journal
    reader.read_to_end(&mut rest)?;
    let tail = if rest.iter().all(|byte| *byte == 0) {
        Tail::Clean
    } else if batch::any_whole(&rest)? {
        Tail::Damaged
    } else {
        Tail::Torn
    };
    Ok((end, tail))
}

fn cut(path: &Path, end: u64) -> io::Result<()> {
    let file = File::options().write(true).open(path)?;
    file.set_len(end)?;
    file.sync_all()
}

fn read_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Read { reason: format!("{}: {error}", path.display()) }
}

#[cfg(test)]
mod tests;
