//! The suite that every store passes, with bounds of the due head so small that everything crosses them.

use bide_store::Store;
use bide_store::conformance::{Faulty, Subject};
use bide_store_local::{LocalStore, Options, Step};
use tempfile::TempDir;

use crate::support::{TINY, Trap, directory};

/// A store on a directory of its own.
pub(crate) struct OnDisk {
    store: Option<LocalStore>,
    trap: Trap,
    directory: TempDir,
}

impl OnDisk {
    fn new(step: Step) -> Self {
        Self::open(directory(), Trap::at(step))
    }

    fn open(directory: TempDir, trap: Trap) -> Self {
        let options = Options { head_limits: TINY, faults: Some(trap.hook()), ..Options::default() };
        let store = LocalStore::open(directory.path(), options).expect("the store opens");
        Self { store: Some(store), trap, directory }
    }
}

impl Subject for OnDisk {
    fn store(&self) -> &dyn Store {
        self.store.as_ref().expect("it is open until it is reopened")
    }

    async fn reopen(mut self) -> Self {
        drop(self.store.take());
        let trap = self.trap;
        trap.set(u64::from(u32::MAX));
        Self::open(self.directory, trap)
    }
}

impl Faulty for OnDisk {
    fn fail_after(&self, commits: u64) {
        self.trap.set(commits);
    }
}

async fn on_disk() -> OnDisk {
    OnDisk::new(Step::Write)
}

bide_store::conformance!(on_disk);

mod failing_before_the_write {
    use super::{OnDisk, Step};

    async fn on_disk() -> OnDisk {
        OnDisk::new(Step::Write)
    }

    bide_store::conformance_faults!(on_disk);
}

mod failing_at_the_flush {
    use super::{OnDisk, Step};

    async fn on_disk() -> OnDisk {
        OnDisk::new(Step::Flush)
    }

    bide_store::conformance_faults!(on_disk);
}
