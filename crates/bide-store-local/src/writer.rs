//! The one thread that writes: group commit without a timer.
//!
//! Owns the loop. When it is idle it takes what comes, plans it, writes it as one atomic batch and flushes at once. What
//! arrives while the disk flushes waits in the channel and becomes the next group, with one flush for all of it. Each
//! caller is answered after the flush that holds its record; only what claims come to is told before (`ClaimListener`).
//!
//! Any error of a write or flush, and any panic in here, fails the store for good: everybody in the group and everybody
//! later gets [`StoreError::Faulted`], and nothing is tried again, because what is on disk is no longer known. A crash
//! leaves the answered groups, and of the last one all or nothing.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bide_store::planner::plan;
use bide_store::{Batch, BatchReply, StoreError};
use fjall::PersistMode;
use tokio::sync::{mpsc, oneshot};

use crate::published::{Published, add};
use crate::state::{News, State};

/// Batches that wait for the writer; one more waits at the channel.
pub(crate) const WAITING_BATCHES_MAX: usize = 1024;
/// A group is closed when it holds this many operations…
const GROUP_OPERATIONS_MAX: usize = 4096;
/// …or this many bytes of bodies; a single batch may be larger.
const GROUP_BYTES_MAX: usize = 8 * 1024 * 1024;

pub(crate) type Reply = oneshot::Sender<Result<BatchReply, StoreError>>;

pub(crate) struct Request {
    pub(crate) batch: Batch,
    pub(crate) reply: Reply,
}

/// A step of a group at which a test can make the disk fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// After a group is planned, before anything of it is written.
    Write,
    /// After a group is written, before it is flushed: a crash here may leave all of it or nothing.
    Flush,
}

/// Called at each [`Step`]; an error stands for one of the disk.
pub type FaultHook = Arc<dyn Fn(Step) -> io::Result<()> + Send + Sync>;

pub(crate) struct Writer {
    pub(crate) state: State,
    pub(crate) published: Arc<Published>,
    pub(crate) faults: Option<FaultHook>,
}

impl Writer {
    /// Serves until every sender is gone.
    pub(crate) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut next = None;
        while let Some(first) = next.take().or_else(|| requests.blocking_recv()) {
            let (batches, replies) = gather(first, &mut requests, &mut next);
            let results = self.commit_guarded(batches);
            for (reply, result) in replies.into_iter().zip(results) {
                let _ = reply.send(result); // a caller that went away needs no answer
            }
        }
    }

    /// Commits a group; on any failure everybody in it hears of the fault.
    fn commit_guarded(&mut self, batches: Vec<Batch>) -> Vec<Result<BatchReply, StoreError>> {
        let count = batches.len();
        if let Err(faulted) = self.published.check() {
            return vec![Err(faulted); count];
        }
        let committed = match catch_unwind(AssertUnwindSafe(|| self.commit(batches))) {
            Ok(committed) => committed,
            Err(panic) => Err(format!("the writer panicked: {}", panic_text(&*panic))),
        };
        committed.unwrap_or_else(|reason| vec![Err(self.published.fail(reason)); count])
    }

    fn commit(&mut self, batches: Vec<Batch>) -> Result<Vec<Result<BatchReply, StoreError>>, String> {
        let counters = &self.published.counters;
        add(&counters.groups, 1);
        add(&counters.batches, batches.len());
        add(&counters.operations, batches.iter().map(Batch::len).sum());
        let mut replies = Vec::with_capacity(batches.len());
        for mut batch in batches {
            let on_claims = batch.on_claims.take();
            // A batch that cannot be planned has changed nothing; the others of its group go on.
            replies.push(match plan(batch, &mut self.state) {
                Err(error) => Err(error),
                Ok(plan) => Ok(self.state.apply(plan).map_err(|error| error.to_string())?),
            });
            if let (Some(listener), Some(Ok(reply))) = (on_claims, replies.last()) {
                // Nothing overtakes this group, and the lock on the directory proves earlier holders dead.
                listener.tell(&reply.claims);
            }
        }
        self.fault_at(Step::Write)?;
        if self.state.txn.is_empty() {
            self.fault_at(Step::Flush)?; // there is nothing to flush: what the callers hear was flushed before
        } else {
            self.write()?;
            self.publish().map_err(|error| error.to_string())?;
        }
        Ok(replies)
    }

    /// Writes the group and flushes it to stable storage.
    fn write(&mut self) -> Result<(), String> {
        let tables = self.state.txn.tables().clone();
        tables.wait_for_room().map_err(|error| format!("the background threads failed: {error}"))?;
        let batch = self.state.txn.take_batch();
        let fault = self.fault_at(Step::Flush);
        // A flush that is made to fail leaves the bytes with the system, which may or may not keep them.
        let mode = if fault.is_ok() { PersistMode::SyncData } else { PersistMode::Buffer };
        batch.durability(Some(mode)).commit().map_err(|error| format!("writing a group failed: {error}"))?;
        fault?;
        add(&self.published.counters.flushes, 1);
        Ok(())
    }

    fn fault_at(&self, step: Step) -> Result<(), String> {
        match &self.faults {
            None => Ok(()),
            Some(hook) => hook(step).map_err(|error| format!("{step:?} failed: {error}")),
        }
    }

    /// Shows the flushed group to readers.
    pub(crate) fn publish(&mut self) -> Result<(), StoreError> {
        let news: News = std::mem::take(&mut self.state.news);
        let mut waiting = Vec::with_capacity(news.lines.len());
        for line in news.lines {
            let due = self.state.first_due(&line)?;
            waiting.push((line, due));
        }
        let first_delivery = self.state.first_delivery()?;
        let mut view = self.published.view();
        for (line, due) in waiting {
            match due {
                Some(due) => view.waiting.insert(line, due),
                None => view.waiting.remove(&line),
            };
        }
        for (invocation, lease) in news.leases {
            match lease {
                Some(lease) => view.leases.insert(invocation, lease),
                None => view.leases.remove(&invocation),
            };
        }
        view.first_delivery = first_delivery;
        view.dead_letters = self.state.dead_letters;
        view.id_lead = self.state.id_lead;
        Ok(())
    }
}

/// Takes what is waiting, up to the bounds of a group; what no longer fits becomes `next`.
fn gather(
    first: Request,
    requests: &mut mpsc::Receiver<Request>,
    next: &mut Option<Request>,
) -> (Vec<Batch>, Vec<Reply>) {
    let (mut operations, mut bytes) = (first.batch.len(), body_bytes(&first.batch));
    let (mut batches, mut replies) = (vec![first.batch], vec![first.reply]);
    while let Ok(request) = requests.try_recv() {
        operations += request.batch.len();
        bytes += body_bytes(&request.batch);
        if operations > GROUP_OPERATIONS_MAX || bytes > GROUP_BYTES_MAX {
            *next = Some(request);
            break;
        }
        batches.push(request.batch);
        replies.push(request.reply);
    }
    (batches, replies)
}

fn body_bytes(batch: &Batch) -> usize {
    let accompanying = batch.controls.iter().flat_map(|change| &change.submissions);
    let payloads: usize =
        batch.submissions.iter().chain(accompanying).map(|submission| submission.payload.len()).sum();
    let results: usize = batch
        .transitions
        .iter()
        .filter_map(|transition| transition.result.as_ref())
        .map(|result| result.len())
        .sum();
    let controls: usize = batch
        .controls
        .iter()
        .flat_map(|change| &change.writes)
        .filter_map(|write| write.value.as_ref())
        .map(|value| value.len())
        .sum();
    payloads + results + controls
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
