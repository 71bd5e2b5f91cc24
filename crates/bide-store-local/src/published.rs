//! What callers see of the writer's state: what waits, which leases are out, whether the store has failed.
//!
//! Owns the copies that the writer renews after each flush, before it answers. So a caller sees every answered commit,
//! and nothing that was not flushed. All of it is rebuilt when the store is opened.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock};

use bide_store::planner::QueuePosition;
use bide_store::{Health, LeaseRef, Stats, StoreError};
use bide_types::{InvocationId, Line, Timestamp};

#[derive(Default)]
pub(crate) struct Published {
    view: Mutex<View>,
    fault: OnceLock<String>,
    pub(crate) counters: Counters,
}

#[derive(Default)]
pub(crate) struct View {
    /// When the first waiting invocation of a line is due.
    pub(crate) waiting: BTreeMap<Line, Timestamp>,
    /// Every lease that is out; as many as attempts run at once.
    pub(crate) leases: BTreeMap<InvocationId, LeaseRef>,
    /// The first entry of the outbox; before it lie only tombstones.
    pub(crate) first_delivery: Option<QueuePosition>,
    /// How many destination records are given up.
    pub(crate) dead_letters: usize,
    /// See `meta::ID_LEAD_KEY`.
    pub(crate) id_lead: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) batches: AtomicU64,
    pub(crate) operations: AtomicU64,
    pub(crate) groups: AtomicU64,
    pub(crate) flushes: AtomicU64,
}

impl Published {
    pub(crate) fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().expect("nobody panics while holding the view")
    }

    /// Fails the store for good; the first reason stays.
    pub(crate) fn fail(&self, reason: String) -> StoreError {
        StoreError::Faulted { reason: self.fault.get_or_init(|| reason).clone() }
    }

    /// # Errors
    /// [`StoreError::Faulted`] once the store has failed.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        match self.fault.get() {
            None => Ok(()),
            Some(reason) => Err(StoreError::Faulted { reason: reason.clone() }),
        }
    }

    pub(crate) fn health(&self) -> Health {
        self.fault.get().cloned().map_or(Health::Ok, Health::Faulted)
    }

    pub(crate) fn stats(&self) -> Stats {
        Stats {
            batches: self.counters.batches.load(Ordering::Relaxed),
            operations: self.counters.operations.load(Ordering::Relaxed),
            groups: self.counters.groups.load(Ordering::Relaxed),
            flushes: self.counters.flushes.load(Ordering::Relaxed),
        }
    }
}

pub(crate) fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(count as u64, Ordering::Relaxed);
}
