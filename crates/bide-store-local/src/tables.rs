//! The embedded engine: one database, one keyspace per layout.
//!
//! Owns every call into the engine's set-up, its memory budget and its pressure. Never knows what a value means.
//! A write batch of the engine is atomic over all keyspaces: after a crash it is there whole or not at all.

use std::path::Path;
use std::time::Duration;

use bide_store::StoreError;
use fjall::{Database, Keyspace, KvPair, PersistMode, UserValue};

use crate::keys::{Space, meta};

/// Blocks that were read and may be read again. Filled only by reads that reach files.
const CACHE_BYTES: u64 = 8 * 1024 * 1024;
/// Open files that the engine keeps.
const OPEN_FILES_MAX: usize = 256;
/// Journals beyond this make the engine flush whatever keeps the oldest alive; bounds the replay when opening.
const JOURNAL_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Background threads: one flushes write buffers, the other compacts. With one alone, buffers wait behind compactions and
/// memory follows the load (measured: 227 MB instead of 97 MB after two million submissions).
const WORKERS: usize = 2;

/// The engine itself stops a writer, blindly, at 4 waiting buffers or 20 tables that overlap. A writer must never be
/// caught there, since nothing would wake it if a background thread failed: so it waits earlier and watches.
const WAITING_BUFFERS_MAX: usize = 2;
const OVERLAPPING_TABLES_MAX: usize = 16;
/// How often a writer that waits for the background threads looks again.
const PRESSURE_POLL: Duration = Duration::from_millis(1);

/// The engine keeps what was removed, and files that were replaced, until so many writes came later.
const WRITES_TO_LET_GO: usize = 4;
/// How often whoever gives space back looks whether the write buffers are written.
const RECLAIM_POLL: Duration = Duration::from_millis(10);

#[derive(Clone)]
pub(crate) struct Tables {
    db: Database,
    /// In the order of [`Space::ALL`].
    spaces: Vec<Keyspace>,
}

/// What a database directory is missing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TablesError {
    #[error(transparent)]
    Engine(#[from] fjall::Error),
    #[error("keyspace '{0}' is missing")]
    Missing(&'static str),
}

impl Tables {
    /// Makes a new database in a directory that does not exist.
    pub(crate) fn create(path: &Path) -> Result<Self, TablesError> {
        let db = database(path)?;
        let spaces = Space::ALL
            .iter()
            .map(|space| db.keyspace(space.name(), || space.options()))
            .collect::<Result<_, _>>()?;
        Ok(Self { db, spaces })
    }

    /// Opens a database. A keyspace that its format does not have yet is made, empty.
    pub(crate) fn open(path: &Path) -> Result<Self, TablesError> {
        let db = database(path)?;
        let missing = |space: &&Space| !db.keyspace_exists(space.name());
        if let Some(space) = Space::ALL.iter().find(|space| space.format() == 1 && missing(space)) {
            return Err(TablesError::Missing(space.name()));
        }
        let format = format(&db)?;
        if let Some(space) = Space::ALL.iter().find(|space| space.format() <= format && missing(space)) {
            return Err(TablesError::Missing(space.name()));
        }
        let spaces = Space::ALL
            .iter()
            .map(|space| db.keyspace(space.name(), || space.options()))
            .collect::<Result<_, _>>()?;
        Ok(Self { db, spaces })
    }

    pub(crate) fn database(&self) -> &Database {
        &self.db
    }

    pub(crate) fn space(&self, space: Space) -> &Keyspace {
        &self.spaces[space.index()]
    }

    pub(crate) fn get(&self, space: Space, key: &[u8]) -> Result<Option<UserValue>, StoreError> {
        self.space(space).get(key).map_err(|error| read_error(space, &error))
    }

    /// All entries of a keyspace. For opening and for checks: it passes over every tombstone.
    pub(crate) fn scan(&self, space: Space) -> impl Iterator<Item = Result<KvPair, StoreError>> {
        self.space(space)
            .iter()
            .map(move |guard| guard.into_inner().map_err(|error| read_error(space, &error)))
    }

    /// Whether the engine still takes writes; it stops for good when one of its threads met an error.
    pub(crate) fn check(&self) -> Result<(), fjall::Error> {
        self.db.persist(PersistMode::Buffer)
    }

    /// Gives the space of what was removed back: write buffers become tables, so that their journals can go, and tables are
    /// merged, so that what is gone leaves them and the value files. Takes as long as it takes to read and write all records
    /// without their bodies; ends early when `go_on` no longer holds, which is told how many bytes the next step may need on
    /// disk while old and new tables are both there. Writes go on meanwhile.
    pub(crate) fn reclaim(&self, go_on: impl Fn(u64) -> bool) -> Result<(), StoreError> {
        let failed = |error: fjall::Error| StoreError::Read { reason: format!("giving space back: {error}") };
        // The first pass finds which value files hold nothing any more, the second drops them.
        for _ in 0..2 {
            self.rotate(&go_on).map_err(failed)?;
            for space in &self.spaces {
                if !go_on(space.disk_space()) {
                    return Ok(());
                }
                space.major_compact().map_err(failed)?;
            }
        }
        self.rotate(&go_on).map_err(failed)
    }

    /// Makes tables of all write buffers.
    fn rotate(&self, go_on: &impl Fn(u64) -> bool) -> Result<(), fjall::Error> {
        for _ in 0..WRITES_TO_LET_GO {
            let mut batch = self.db.batch();
            batch.insert(self.space(Space::Meta), meta::FORMAT_KEY, meta::encode(meta::FORMAT));
            batch.commit()?;
        }
        for space in &self.spaces {
            space.rotate_memtable()?;
        }
        while go_on(0) && self.spaces.iter().any(|space| space.sealed_memtable_count() > 0) {
            self.check()?;
            std::thread::park_timeout(RECLAIM_POLL);
        }
        Ok(())
    }

    /// Waits until the background threads have caught up enough for another group.
    pub(crate) fn wait_for_room(&self) -> Result<(), fjall::Error> {
        while self.spaces.iter().any(is_under_pressure) {
            self.check()?;
            std::thread::park_timeout(PRESSURE_POLL);
        }
        Ok(())
    }
}

/// The format number, as far as it can be read: whoever opens the directory judges it.
fn format(db: &Database) -> Result<u64, fjall::Error> {
    let meta = db.keyspace(Space::Meta.name(), || Space::Meta.options())?;
    let value = meta.get(meta::FORMAT_KEY)?;
    Ok(value.and_then(|value| meta::decode(&value).ok()).unwrap_or(meta::FORMAT))
}

fn is_under_pressure(space: &Keyspace) -> bool {
    space.sealed_memtable_count() >= WAITING_BUFFERS_MAX || space.l0_table_count() >= OVERLAPPING_TABLES_MAX
}

fn database(path: &Path) -> Result<Database, fjall::Error> {
    Database::builder(path)
        .manual_journal_persist(true)
        .cache_size(CACHE_BYTES)
        .max_cached_files(Some(OPEN_FILES_MAX))
        .max_journaling_size(JOURNAL_BYTES_MAX)
        .worker_threads(WORKERS)
        .open()
}

pub(crate) fn read_error(space: Space, error: &fjall::Error) -> StoreError {
    StoreError::Read { reason: format!("{}: {error}", space.name()) }
}
