//! Hints to the dispatcher, the deliverer and the timers that there may be something to do.
//!
//! Owns coalescing: hints for the same line or function merge, so their number bounds the memory. A hint is only
//! an optimisation; who misses one finds the work again in the store.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard};

use bide_types::{FunctionId, Line, Timestamp};
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Signals {
    pending: Mutex<Hints>,
    dispatch: Notify,
    pub(crate) outbox: Notify,
    /// A time trigger may be due earlier than was known.
    pub(crate) timers: Notify,
}

/// What has been hinted since the last look.
#[derive(Default)]
pub(crate) struct Hints {
    /// Lines with waiting work, and when the first of it is due.
    pub(crate) due: HashMap<Line, Timestamp>,
    /// Functions whose capacity may have grown.
    pub(crate) capacity: HashSet<FunctionId>,
}

impl Signals {
    /// Work waits in `line` and is due at `due`.
    pub(crate) fn work(&self, line: Line, due: Timestamp) {
        let mut pending = self.lock();
        let entry = pending.due.entry(line).or_insert(due);
        *entry = due.min(*entry);
        drop(pending);
        self.dispatch.notify_one();
    }

    pub(crate) fn capacity(&self, function: FunctionId) {
        self.lock().capacity.insert(function);
        self.dispatch.notify_one();
    }

    pub(crate) fn take(&self) -> Hints {
        std::mem::take(&mut *self.lock())
    }

    pub(crate) async fn hinted(&self) {
        self.dispatch.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Hints> {
        self.pending.lock().expect("nobody panics while holding the hints")
    }
}
