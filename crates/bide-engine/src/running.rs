//! The attempts that this process holds leases for.
//!
//! Owns the way from an invocation to the signal that cancels its attempt. The batcher enters an attempt before
//! anything of a later batch is answered, so a stop always finds what it must cancel.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bide_runtime::Cancel;
use bide_types::InvocationId;
use tokio::sync::Notify;

#[derive(Default)]
pub(crate) struct Running {
    attempts: Mutex<HashMap<InvocationId, Cancel>>,
    changed: Notify,
}

impl Running {
    pub(crate) fn enter(&self, invocation: InvocationId) {
        self.lock().insert(invocation, Cancel::new());
    }

    pub(crate) fn cancel_signal(&self, invocation: InvocationId) -> Option<Cancel> {
        self.lock().get(&invocation).cloned()
    }

    pub(crate) fn cancel(&self, invocation: InvocationId) {
        if let Some(cancel) = self.cancel_signal(invocation) {
            cancel.cancel();
        }
    }

    pub(crate) fn cancel_all(&self) {
        for cancel in self.lock().values() {
            cancel.cancel();
        }
    }

    pub(crate) fn leave(&self, invocation: InvocationId) {
        self.lock().remove(&invocation);
        self.changed.notify_waiters();
    }

    pub(crate) fn contains(&self, invocation: InvocationId) -> bool {
        self.lock().contains_key(&invocation)
    }

    /// Resolves when no attempt is left.
    pub(crate) async fn empty(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<InvocationId, Cancel>> {
        self.attempts.lock().expect("nobody panics while holding the attempts")
    }
}
