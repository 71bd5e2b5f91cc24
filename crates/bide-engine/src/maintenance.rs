//! Reconcilers without input: lapsed leases, retention of tasks and dead letters, deleted functions, packages.
//!
//! Each round re-reads the store, does bounded batches and may be repeated at any time. A crash in the middle leaves
//! the rest for the next round.

use std::sync::Arc;
use std::time::Duration;

use bide_core::Command;
use bide_store::{DeadLetterChange, LeaseRef, Purge, StoreError, Transition, TransitionReply};
use bide_types::Timestamp;
use tokio::sync::watch;

use crate::error::Error;
use crate::options::{
    FORMER_CONFIGS_KEPT, MAINTENANCE_BATCH, MAINTENANCE_PERIOD, QUIET_OPERATIONS_MAX, RECLAIM_PERIOD,
    RETIRED_KEPT,
};
use crate::packages;
use crate::start::Shared;

/// Runs the reconcilers now and then until `stopping` says so.
pub(crate) async fn run(shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let mut space = Space::default();
    loop {
        let outcomes = [
            lapse_leases(&shared).await.map(|_| ()).map_err(Error::from),
            purge_settled(&shared, &mut space).await.map_err(Error::from),
            drop_dead_letters(&shared).await.map_err(Error::from),
            forget_retired(&shared).await,
            forget_former_configs(&shared).await,
            packages::prune(&shared).await.map_err(Error::from),
        ];
        for error in outcomes.into_iter().filter_map(Result::err) {
            tracing::error!(%error, "maintenance failed; it is tried again");
        }
        tokio::select! {
            // What it has begun ends when the store closes.
            _ = stopping.wait_for(|stopping| *stopping) => return,
            given = space.give_back(&shared) => if let Err(error) = given {
                tracing::error!(%error, "space could not be given back; it is tried again");
            }
        }
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => return,
            () = shared.clock.sleep(MAINTENANCE_PERIOD) => {}
        }
    }
}

/// Takes work back from holders that are gone; returns how many leases lapsed. Ends with a batch that comes to nothing:
/// what cannot be ended now is left for the next round.
pub(crate) async fn lapse_leases(shared: &Shared) -> Result<usize, StoreError> {
    let mut lapsed = 0;
    loop {
        let now = shared.clock.now();
        let mut leases = shared.store.lapsed_leases(shared.holder, now, MAINTENANCE_BATCH).await?;
        let found = leases.len();
        leases.retain(|lease| {
            lease.holder != shared.holder || !shared.running.contains(lease.invocation, lease.epoch)
        });
        let mut lapsing = tokio::task::JoinSet::new();
        for lease in &leases {
            let (batcher, transition) = (shared.batcher.clone(), lapse(*lease));
            lapsing.spawn(async move { batcher.transition(transition).await });
        }
        let before = lapsed;
        for reply in lapsing.join_all().await {
            // A rejection means that the lease ended by itself meanwhile.
            lapsed += usize::from(matches!(reply?, TransitionReply::Applied { .. }));
        }
        if lapsed == before || found < MAINTENANCE_BATCH {
            return Ok(lapsed);
        }
    }
}

fn lapse(lease: LeaseRef) -> Transition {
    let command = Command::Lapse { epoch: lease.epoch };
    Transition { invocation: lease.invocation, command, result: None, log: None }
}

/// Removes settled tasks that are older than the retention.
async fn purge_settled(shared: &Shared, space: &mut Space) -> Result<(), StoreError> {
    while !shared.is_stopping() {
        let settled_before = shared.clock.now().minus(shared.options.task_retention);
        let removed = shared.batcher.purge(Purge { settled_before, max: MAINTENANCE_BATCH }).await?;
        space.is_owed |= removed > 0;
        if removed < MAINTENANCE_BATCH {
            break;
        }
    }
    Ok(())
}

/// Whether the space of removed tasks is still to be given back.
#[derive(Default)]
struct Space {
    is_owed: bool,
    given_at: Option<Duration>,
    /// Of the store, when last looked at.
    operations: u64,
}

impl Space {
    async fn give_back(&mut self, shared: &Shared) -> Result<(), StoreError> {
        let operations = shared.store.stats().operations;
        let since_last = operations.saturating_sub(std::mem::replace(&mut self.operations, operations));
        let now = shared.clock.monotonic();
        let is_time = self.given_at.is_none_or(|at| now.saturating_sub(at) >= RECLAIM_PERIOD);
        if self.is_owed && is_time && since_last <= QUIET_OPERATIONS_MAX {
            shared.store.reclaim().await?;
            (self.is_owed, self.given_at) = (false, Some(now));
        }
        Ok(())
    }
}

/// Forgets the configurations of qualifiers that are gone, once nothing that was sent to them can wait any more.
async fn forget_former_configs(shared: &Shared) -> Result<(), Error> {
    let before = shared.clock.now().minus(FORMER_CONFIGS_KEPT);
    for config in shared.catalog.former_configs_before(before, MAINTENANCE_BATCH) {
        shared.catalog.forget_former_config(&config).await?;
    }
    Ok(())
}

/// Drops dead letters that are older than their retention, and the oldest of too many.
async fn drop_dead_letters(shared: &Shared) -> Result<(), StoreError> {
    let old = shared.clock.now().minus(shared.options.dead_letter_retention);
    while !shared.is_stopping() {
        let change = DeadLetterChange::DropBefore { before: old, max: MAINTENANCE_BATCH };
        if shared.batcher.dead_letter(change).await? < MAINTENANCE_BATCH {
            break;
        }
    }
    while !shared.is_stopping() {
        let count = shared.store.dead_letter_count().await?;
        let max = count.saturating_sub(shared.options.dead_letters_max).min(MAINTENANCE_BATCH);
        if max == 0 {
            break;
        }
        tracing::warn!(max, "dropping the oldest dead letters: there are too many");
        shared.batcher.dead_letter(DeadLetterChange::DropBefore { before: Timestamp::MAX, max }).await?;
    }
    Ok(())
}

/// Forgets deleted functions of which nothing is under way any more.
async fn forget_retired(shared: &Shared) -> Result<(), Error> {
    let before = shared.clock.now().minus(RETIRED_KEPT + shared.options.dead_letter_retention);
    for function in shared.catalog.retired_before(before, MAINTENANCE_BATCH) {
        if shared.store.ledger(function).await?.open() == 0 {
            shared.catalog.forget_retired(function).await?;
        }
    }
    Ok(())
}
