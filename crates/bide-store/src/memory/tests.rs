use super::*;
use crate::conformance::{Faulty, Subject};

impl Subject for MemoryStore {
    fn store(&self) -> &dyn Store {
        self
    }

    async fn reopen(self) -> Self {
        MemoryStore::reopen(&self)
    }
}

impl Faulty for MemoryStore {
    fn fail_after(&self, commits: u64) {
        MemoryStore::fail_after(self, commits);
    }
}

async fn memory() -> MemoryStore {
    MemoryStore::default()
}

crate::conformance!(memory);
crate::conformance_faults!(memory);
