//! Stores in temporary directories, and short words for what is done to them.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use bide_store_local::{FaultHook, HeadLimits, LocalStore, Options, Step};
use tempfile::TempDir;

/// Bounds so small that every queue of a few entries crosses them.
pub(crate) const TINY: HeadLimits = HeadLimits { refill: 3, max: 5, total: 8 };

/// In memory where the system has a place for that: what tests do to a store, a kill included, does not need a disk.
pub(crate) fn directory() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a temporary directory")
}

pub(crate) fn open(path: &Path) -> LocalStore {
    LocalStore::open(path, Options::default()).expect("the store opens")
}

/// Makes the disk fail once, at a step of a group that is counted down to.
#[derive(Clone)]
pub(crate) struct Trap {
    step: Step,
    left: Arc<AtomicI64>,
}

impl Trap {
    pub(crate) fn at(step: Step) -> Self {
        Self { step, left: Arc::new(AtomicI64::new(i64::MAX)) }
    }

    /// Lets `count` more groups pass that step.
    pub(crate) fn set(&self, count: u64) {
        self.left.store(count.try_into().expect("a small number"), Ordering::SeqCst);
    }

    pub(crate) fn hook(&self) -> FaultHook {
        let trap = self.clone();
        Arc::new(move |step| {
            if step == trap.step && trap.left.fetch_sub(1, Ordering::SeqCst) == 0 {
                return Err(io::Error::other("a fault was asked for"));
            }
            Ok(())
        })
    }
}
