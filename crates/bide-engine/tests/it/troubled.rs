//! A store that can be told to fail in ways that the model has no switch for.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bide_core::{Epoch, LeaseHolder, Ledger};
use bide_store::memory::MemoryStore;
use bide_store::{
    Batch, BatchReply, BoxFuture, ControlKey, ControlObject, DeadLetter, DueDeliveries, Health, LeaseRef,
    OutboxPosition, PendingDelivery, Stats, Store, StoreError, TaskLogs, TaskPage, TaskQuery, TaskView,
};
use bide_types::{FunctionId, InvocationId, Line, TaskId, Timestamp};
use bytes::Bytes;
use tokio::sync::Semaphore;

/// See the module. Clones share the trouble.
#[derive(Clone)]
pub(crate) struct Troubled {
    store: MemoryStore,
    /// A record of this function cannot be read, so no batch that claims from it can be planned.
    pub(crate) damaged: Arc<Mutex<Option<FunctionId>>>,
    /// Looking for what waits panics.
    pub(crate) panics: Arc<AtomicBool>,
    /// A commit lets the other tasks run so many times before it does anything.
    pub(crate) pauses: Arc<AtomicUsize>,
    /// Commits so far.
    pub(crate) commits: Arc<AtomicUsize>,
    /// So many of the next commits that submit something with a control change fail to read.
    pub(crate) refused_changes: Arc<AtomicUsize>,
    /// There are leases without a record, as many as anybody asks for.
    pub(crate) phantom_leases: Arc<AtomicBool>,
    /// Packages are removed only with a permit from here.
    pub(crate) removals: Arc<Semaphore>,
    /// The disk has too little space for anything new.
    pub(crate) is_nearly_full: Arc<AtomicBool>,
    /// How often space was given back.
    pub(crate) reclaims: Arc<AtomicUsize>,
}

impl Troubled {
    pub(crate) fn new(store: MemoryStore) -> Self {
        Self {
            store,
            damaged: Arc::default(),
            panics: Arc::default(),
            pauses: Arc::default(),
            commits: Arc::default(),
            refused_changes: Arc::default(),
            phantom_leases: Arc::default(),
            removals: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)),
            is_nearly_full: Arc::default(),
            reclaims: Arc::default(),
        }
    }
}

impl Store for Troubled {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<BatchReply, StoreError>> {
        self.commits.fetch_add(1, Ordering::Relaxed);
        let damaged = *self.damaged.lock().expect("nobody panics while holding it");
        if batch.claims.iter().any(|claim| Some(claim.line.function) == damaged) {
            let (place, reason) = ("a record".to_owned(), "a test wants it".to_owned());
            return Box::pin(async { Err(StoreError::Damaged { place, reason }) });
        }
        if batch.controls.iter().any(|change| !change.submissions.is_empty())
            && self
                .refused_changes
                .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                .is_ok()
        {
            return Box::pin(async { Err(StoreError::Read { reason: "a test wants it".to_owned() }) });
        }
        Box::pin(async {
            for _ in 0..self.pauses.load(Ordering::Relaxed) {
                tokio::task::yield_now().await;
            }
            self.store.commit(batch).await
        })
    }

    fn check_space(&self) -> Result<(), StoreError> {
        if self.is_nearly_full.load(Ordering::Relaxed) {
            return Err(StoreError::NoSpace { available: 1, reserve: 2 });
        }
        Ok(())
    }

    fn health(&self) -> Health {
        self.store.health()
    }

    fn stats(&self) -> Stats {
        self.store.stats()
    }

    fn waiting(&self) -> BoxFuture<'_, Result<Vec<(Line, Timestamp)>, StoreError>> {
        assert!(!self.panics.load(Ordering::Relaxed), "a test wants it");
        self.store.waiting()
    }

    fn lapsed_leases(
        &self,
        own: LeaseHolder,
        now: Timestamp,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<LeaseRef>, StoreError>> {
        if self.phantom_leases.load(Ordering::Relaxed) {
            let phantom = move |id| LeaseRef {
                invocation: InvocationId::new(id),
                epoch: Epoch(1),
                holder: LeaseHolder(99),
                expires_at: now,
            };
            return Box::pin(async move { Ok((1..).take(max).map(phantom).collect()) });
        }
        self.store.lapsed_leases(own, now, max)
    }

    fn due_deliveries(&self, now: Timestamp, max: usize) -> BoxFuture<'_, Result<DueDeliveries, StoreError>> {
        self.store.due_deliveries(now, max)
    }

    fn reclaim(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.reclaims.fetch_add(1, Ordering::Relaxed);
        self.store.reclaim()
    }

    fn delivery(&self, id: InvocationId) -> BoxFuture<'_, Result<Option<PendingDelivery>, StoreError>> {
        self.store.delivery(id)
    }

    fn dead_letters(
        &self,
        after: Option<OutboxPosition>,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>> {
        self.store.dead_letters(after, max)
    }

    fn dead_letter(
        &self,
        id: InvocationId,
    ) -> BoxFuture<'_, Result<Option<(DeadLetter, PendingDelivery)>, StoreError>> {
        self.store.dead_letter(id)
    }

    fn dead_letter_count(&self) -> BoxFuture<'_, Result<usize, StoreError>> {
        self.store.dead_letter_count()
    }

    fn task(
        &self,
        function: FunctionId,
        task: TaskId,
    ) -> BoxFuture<'_, Result<Option<TaskView>, StoreError>> {
        self.store.task(function, task)
    }

    fn task_logs(
        &self,
        function: FunctionId,
        task: TaskId,
    ) -> BoxFuture<'_, Result<Option<TaskLogs>, StoreError>> {
        self.store.task_logs(function, task)
    }

    fn tasks(&self, query: TaskQuery) -> BoxFuture<'_, Result<TaskPage, StoreError>> {
        self.store.tasks(query)
    }

    fn ledger(&self, function: FunctionId) -> BoxFuture<'_, Result<Ledger, StoreError>> {
        self.store.ledger(function)
    }

    fn controls(&self) -> BoxFuture<'_, Result<Vec<(ControlKey, ControlObject)>, StoreError>> {
        self.store.controls()
    }

    fn put_package(&self, digest: String, zip: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.put_package(digest, zip)
    }

    fn package(&self, digest: String) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        self.store.package(digest)
    }

    fn retain_packages(&self, keep: Vec<String>) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(async {
            self.removals.acquire().await.expect("it is never closed").forget();
            self.store.retain_packages(keep).await
        })
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        self.store.close()
    }
}
