//! The trait that every store implements.

use std::future::Future;
use std::pin::Pin;

use bide_core::{Epoch, LeaseHolder, Ledger};
use bide_types::{FunctionId, InvocationId, Line, TaskId, Timestamp};
use bytes::Bytes;

use crate::batch::{Batch, BatchReply, DeadLetter, PendingDelivery};
use crate::control::{ControlKey, ControlObject};
use crate::query::{TaskLogs, TaskPage, TaskQuery, TaskView};

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The store cannot do what was asked. Nothing was acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// A write or flush failed: the store accepts no more writes until it is opened again, because what is on disk is
    /// no longer known. Never retried as if nothing had happened.
    #[error("the store has failed and accepts no more writes: {reason}")]
    Faulted { reason: String },
    /// A read failed; writes may still work.
    #[error("cannot read from the store: {reason}")]
    Read { reason: String },
    /// What is stored cannot be understood.
    #[error(
        "the store is damaged at {place}: {reason}; run `bide verify` on the data directory, and restore from a copy"
    )]
    Damaged { place: String, reason: String },
    /// Too little space is left for anything new; what is there can still be changed and settled.
    #[error(
        "only {available} bytes are left on the disk, and {reserve} are kept back for what was accepted: make room"
    )]
    NoSpace { available: u64, reserve: u64 },
    #[error("the store is closed")]
    Closed,
}

/// Places in the outbox, and when the next one after them is due.
pub type DueDeliveries = (Vec<OutboxPosition>, Option<Timestamp>);

/// A place in the outbox, by due time, or among dead letters, by the time since when; then by the invocation that settled.
pub type OutboxPosition = (Timestamp, InvocationId);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    Ok,
    /// See [`StoreError::Faulted`].
    Faulted(String),
}

/// What the store did since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Batches answered.
    pub batches: u64,
    /// Operations in those batches.
    pub operations: u64,
    /// Groups of batches that were planned and written together.
    pub groups: u64,
    /// Flushes of the disk: one for each group that wrote something.
    pub flushes: u64,
}

/// A lease that is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseRef {
    pub invocation: InvocationId,
    pub epoch: Epoch,
    pub holder: LeaseHolder,
    pub expires_at: Timestamp,
}

/// Keeps invocations, control objects, deliveries and code packages.
///
/// Contract: [`Store::commit`] applies the whole batch or nothing, and what it answers is durable (survives a crash of
/// the process and of the machine) when its future resolves. Reads see every resolved commit. A commit that faulted is,
/// when the store is opened again, there whole or not at all; until then every other write fails as well. All methods may be
/// called at once from many tasks; commits are applied one after the other.
pub trait Store: Send + Sync + 'static {
    /// Applies a batch, durably.
    ///
    /// # Errors
    /// [`StoreError`]: nothing of the batch is acknowledged; the engine must answer its callers with an error. After
    /// [`StoreError::Read`] and [`StoreError::Damaged`] nothing of it is stored either, now or later, and a batch that
    /// does not need what cannot be read may go through.
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Result<BatchReply, StoreError>>;

    /// Whether there is space for new events and packages, beyond what is kept back for the work that was accepted: a
    /// store that runs full has failed, and can settle nothing.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`]. Where the space cannot be told there is enough, until a write fails.
    fn check_space(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// Gives the space of what was removed back to the disk, which a store that is written to does by itself in time. May take
    /// long, and may read and write much of what is stored; commits go on meanwhile.
    fn reclaim(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }

    fn health(&self) -> Health;

    fn stats(&self) -> Stats;

    /// Lines with waiting work, with the time at which their first is due; in no order.
    fn waiting(&self) -> BoxFuture<'_, Result<Vec<(Line, Timestamp)>, StoreError>>;

    /// Leases of other holders than `own`, or lapsed at `now`: at most `max`, in no order.
    fn lapsed_leases(
        &self,
        own: LeaseHolder,
        now: Timestamp,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<LeaseRef>, StoreError>>;

    /// Where destination records due at `now` are, in the order of due time and invocation, at most `max`; and when the
    /// next one after those is due. Cheap, so that it can be asked for again and again while some of them are under way.
    fn due_deliveries(&self, now: Timestamp, max: usize) -> BoxFuture<'_, Result<DueDeliveries, StoreError>>;

    /// The destination record of an invocation, while it waits to be delivered.
    fn delivery(
        &self,
        invocation: InvocationId,
    ) -> BoxFuture<'_, Result<Option<PendingDelivery>, StoreError>>;

    /// Destination records that were given up, the longest given up first: at most `max`, after `after`.
    fn dead_letters(
        &self,
        after: Option<OutboxPosition>,
        max: usize,
    ) -> BoxFuture<'_, Result<Vec<DeadLetter>, StoreError>>;

    /// One of them with event and result, as it would be delivered.
    fn dead_letter(
        &self,
        invocation: InvocationId,
    ) -> BoxFuture<'_, Result<Option<(DeadLetter, PendingDelivery)>, StoreError>>;

    /// How many there are.
    fn dead_letter_count(&self) -> BoxFuture<'_, Result<usize, StoreError>>;

    /// The task of this id, with its event and result.
    fn task(&self, function: FunctionId, task: TaskId)
    -> BoxFuture<'_, Result<Option<TaskView>, StoreError>>;

    /// The task of this id, with the logs of its attempts.
    fn task_logs(
        &self,
        function: FunctionId,
        task: TaskId,
    ) -> BoxFuture<'_, Result<Option<TaskLogs>, StoreError>>;

    /// A page of tasks in the order of acceptance; plain invocations are never on it.
    fn tasks(&self, query: TaskQuery) -> BoxFuture<'_, Result<TaskPage, StoreError>>;

    fn ledger(&self, function: FunctionId) -> BoxFuture<'_, Result<Ledger, StoreError>>;

    /// All control objects, in the order of keys; read once when the engine starts.
    fn controls(&self) -> BoxFuture<'_, Result<Vec<(ControlKey, ControlObject)>, StoreError>>;

    /// Keeps a code package under its digest, durably; the same digest again is no change.
    fn put_package(&self, digest: String, zip: Bytes) -> BoxFuture<'_, Result<(), StoreError>>;

    fn package(&self, digest: String) -> BoxFuture<'_, Result<Option<Bytes>, StoreError>>;

    /// Removes every package whose digest is not in `keep`; returns how many.
    fn retain_packages(&self, keep: Vec<String>) -> BoxFuture<'_, Result<usize, StoreError>>;

    /// Flushes what is left and releases the files; later calls fail with [`StoreError::Closed`].
    fn close(&self) -> BoxFuture<'_, Result<(), StoreError>>;
}
