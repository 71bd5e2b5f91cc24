//! [`LocalStore`]: opening, closing, and the seam.
//!
//! Owns the life of the writer thread and of the files. Point reads run on the caller's thread; scans run on the
//! runtime's blocking threads. A crash at any point leaves what the writer had flushed.

use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::thread::JoinHandle;

use bide_core::{LeaseHolder, Ledger};
use bide_store::{
    Batch, BatchReply, BoxFuture, ControlKey, ControlObject, DeadLetter, DueDeliveries, Health, LeaseRef,
    OutboxPosition, PendingDelivery, Stats, Store, StoreError, TaskLogs, TaskPage, TaskQuery, TaskView,
};
use bide_types::{FunctionId, InvocationId, Line, TaskId, Timestamp};
use bytes::Bytes;
use fjall::PersistMode;
use tokio::sync::{mpsc, oneshot};

use crate::directory::{Directory, Missing, OpenError, PACKAGES_DIRECTORY};
use crate::head::HeadLimits;
use crate::packages::Packages;
use crate::published::Published;
use crate::reads;
use crate::recover::recover;
use crate::reserve::Reserve;
use crate::tables::Tables;
use crate::writer::{FaultHook, Request, WAITING_BATCHES_MAX, Writer};

/// How a store is opened. The default is right for a server.
#[derive(Clone)]
pub struct Options {
    /// Bounds of the queues' fronts in memory.
    pub head_limits: HeadLimits,
    /// Bytes of the disk that new events and packages may not take; 0: none.
    pub reserve_bytes: u64,
    /// For tests: makes the disk fail.
    pub faults: Option<FaultHook>,
}

/// Room for some hundred thousand settlements, and for the rewriting of tables.
pub const RESERVE_BYTES_DEFAULT: u64 = 256 * 1024 * 1024;

impl Default for Options {
    fn default() -> Self {
        Self { head_limits: HeadLimits::default(), reserve_bytes: RESERVE_BYTES_DEFAULT, faults: None }
    }
}

/// A store in a directory of this machine. Clones share it.
#[derive(Clone)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

struct Shared {
    holder: LeaseHolder,
    reserve: Reserve,
    published: Arc<Published>,
    packages: Packages,
    /// `None` once the store is closing.
    requests: Mutex<Option<mpsc::Sender<Request>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// `None` once the store is closed. Readers hold it shared while they read.
    directory: RwLock<Option<Directory>>,
}

impl LocalStore {
    /// Opens the store in `path`, and makes it if there is none. The directory stays locked until [`Store::close`] has
    /// resolved or the last clone is dropped.
    ///
    /// # Errors
    /// [`OpenError`], with advice.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let directory = Directory::open(path, Missing::Create)?;
        let packages_path = path.join(PACKAGES_DIRECTORY);
        let packages = Packages::open(packages_path.clone())
            .map_err(|source| OpenError::Io { path: packages_path, source })?;
        let holder = LeaseHolder(directory.next_holder()?);
        let reserve = Reserve::new(path, options.reserve_bytes)
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        let (state, view) = recover(&directory.tables, options.head_limits)?;
        let published = Arc::new(Published::default());
        *published.view() = view;
        let writer = Writer { state, published: published.clone(), faults: options.faults };
        let (requests, received) = mpsc::channel(WAITING_BATCHES_MAX);
        let thread = std::thread::Builder::new()
            .name("bide-writer".to_owned())
            .spawn(move || writer.run(received))
            .map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
        let shared = Shared {
            holder,
            reserve,
            published,
            packages,
            requests: Mutex::new(Some(requests)),
            writer: Mutex::new(Some(thread)),
            directory: RwLock::new(Some(directory)),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Whom the leases of this start belong to; another number at every opening.
    pub fn holder(&self) -> LeaseHolder {
        self.shared.holder
    }

    /// Reads on the runtime's blocking threads.
    async fn scan<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared, &Tables) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = self.shared.clone();
        blocking(move || shared.read(|tables| read(&shared, tables))).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Read { reason: error.to_string() }),
    }
}

impl Shared {
    /// Runs `read` while the files stay open.
    fn read<T>(&self, read: impl FnOnce(&Tables) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let directory = self.directory.read().expect("nobody panics while holding it for writing");
        match &*directory {
            Some(directory) => read(&directory.tables),
            None => Err(StoreError::Closed),
        }
    }

    fn sender(&self) -> Result<mpsc::Sender<Request>, StoreError> {
        self.published.check()?;
        self.requests.lock().expect("nobody panics while holding it").clone().ok_or(StoreError::Closed)
    }

    async fn commit(&self, batch: Batch) -> Result<BatchReply, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.sender()?.send(Request { batch, reply }).await.map_err(|_| StoreError::Closed)?;
        // The writer answers everything it received, even after it failed.
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Lets the writer finish what it has received, flushes and gives the directory free.
    fn close(&self) -> Result<(), StoreError> {
        self.requests.lock().expect("nobody panics while holding it").take();
        let writer = self.writer.lock().expect("nobody panics while holding it").take();
        if let Some(Err(_)) = writer.map(JoinHandle::join) {
            self.published.fail("the writer thread panicked".to_owned());
        }
        let Some(directory) = self.directory.write().expect("readers do not poison it").take() else {
            return Ok(());
        };
        self.published.check()?;
        directory
            .tables
            .database()
            .persist(PersistMode::SyncAll)
            .map_err(|error| self.published.fail(format!("the last flush failed: {error}")))
    }

    fn health(&self) -> Health {
        // The engine's background threads may have failed while nothing was written.
        let failed = self.published.check().is_ok()
            && self.read(|tables| Ok(tables.check().err())).is_ok_and(|error| error.is_some());
        if failed {
            self.published.fail("a background thread of the engine failed; its log has the cause".to_owned());
        }
        self.published.health()
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; everything that was answered is flushed.
        let _ = self.close();
    }
}

impl Store for LocalStore {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<BatchReply, StoreError>> {
        Box::pin(self.shared.commit(batch))
    }

    fn check_space(&self) -> Result<(), StoreError> {
        self.shared.reserve.check()
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn stats(&self) -> Stats {
        self.shared.published.stats()
    }

    fn reclaim(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let go_on = |shared: &Shared, bytes| shared.sender().is_ok() && shared.reserve.has_room_for(bytes);
        Box::pin(self.scan(move |shared, tables| tables.reclaim(|bytes| go_on(shared, bytes))))
    }

    fn waiting(&self) -> BoxFuture<'_, Result<Vec<(Line, Timestamp)>, StoreError>> {
        Box::pin(async move {
            self.shared.read(|_| {
                let view = self.shared.published.view();
                Ok(view.waiting.iter().map(|(line, due)| (line.clone(), *due)).collect())
            })
        })
    }

    fn lapsed_leases(
        &self,
        own: LeaseHolder,
        now: Timestamp,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<LeaseRef>, StoreError>> {
        Box::pin(async move {
            self.shared.read(|_| {
                let view = self.shared.published.view();
                let lapsed =
                    view.leases.values().filter(|lease| lease.holder != own || lease.expires_at <= now);
                Ok(lapsed.take(max).copied().collect())
            })
        })
    }

    fn due_deliveries(&self, now: Timestamp, max: usize) -> BoxFuture<'_, Result<DueDeliveries, StoreError>> {
        Box::pin(self.scan(move |shared, tables| {
            let first = shared.published.view().first_delivery;
            match first {
                None => Ok((Vec::new(), None)),
                Some(first) => reads::due_deliveries(tables, first, now, max),
            }
        }))
    }

    fn delivery(&self, id: InvocationId) -> BoxFuture<'_, Result<Option<PendingDelivery>, StoreError>> {
        Box::pin(self.scan(move |_, tables| reads::delivery(tables, id)))
    }

    fn dead_letters(
        &self,
        after: Option<OutboxPosition>,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>> {
        Box::pin(self.scan(move |_, tables| reads::dead_letters(tables, after, max)))
    }

    fn dead_letter(
        &self,
        id: InvocationId,
    ) -> BoxFuture<'_, Result<Option<(DeadLetter, PendingDelivery)>, StoreError>> {
        Box::pin(self.scan(move |_, tables| reads::dead_letter(tables, id)))
    }

    fn dead_letter_count(&self) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(async move { self.shared.read(|_| Ok(self.shared.published.view().dead_letters)) })
    }

    fn task(
        &self,
        function: FunctionId,
        task: TaskId,
    ) -> BoxFuture<'_, Result<Option<TaskView>, StoreError>> {
        Box::pin(async move { self.shared.read(|tables| reads::task(tables, function, &task)) })
    }

    fn task_logs(
        &self,
        function: FunctionId,
        task: TaskId,
    ) -> BoxFuture<'_, Result<Option<TaskLogs>, StoreError>> {
        Box::pin(self.scan(move |_, tables| reads::task_logs(tables, function, &task)))
    }

    fn tasks(&self, query: TaskQuery) -> BoxFuture<'_, Result<TaskPage, StoreError>> {
        Box::pin(self.scan(move |shared, tables| {
            let id_lead = shared.published.view().id_lead;
            reads::tasks(tables, &query, id_lead)
        }))
    }

    fn ledger(&self, function: FunctionId) -> BoxFuture<'_, Result<Ledger, StoreError>> {
        Box::pin(async move { self.shared.read(|tables| reads::ledger(tables, function)) })
    }

    fn controls(&self) -> BoxFuture<'_, Result<Vec<(ControlKey, ControlObject)>, StoreError>> {
        Box::pin(self.scan(|_, tables| reads::controls(tables)))
    }

    fn put_package(&self, digest: String, zip: Bytes) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.scan(move |shared, _| {
            shared.published.check()?;
            shared.reserve.check()?;
            shared.packages.put(&digest, &zip)
        }))
    }

    fn package(&self, digest: String) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>> {
        Box::pin(self.scan(move |shared, _| shared.packages.get(&digest)))
    }

    fn retain_packages(&self, keep: Vec<String>) -> BoxFuture<'_, Result<usize, StoreError>> {
        Box::pin(self.scan(move |shared, _| {
            shared.published.check()?;
            shared.packages.retain(&keep)
        }))
    }

    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        let shared = self.shared.clone();
        Box::pin(blocking(move || shared.close()))
    }
}
