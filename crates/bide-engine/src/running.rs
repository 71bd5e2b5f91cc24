//! The attempts that this process holds leases for.
//!
//! Owns the way from an invocation to the signal that cancels its attempt. The batcher enters an attempt before
//! anything of a later batch is answered, so a stop always finds what it must cancel. An attempt is known by its epoch
//! as well: the next one of the same invocation may be entered before the last one has left.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use bide_core::Epoch;
use bide_runtime::Cancel;
use bide_types::InvocationId;

#[derive(Default)]
pub(crate) struct Running {
    attempts: Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    /// The last one entered of each invocation.
    entered: HashMap<InvocationId, (Epoch, Cancel)>,
    interrupted: bool,
}

impl Running {
    pub(crate) fn enter(&self, invocation: InvocationId, epoch: Epoch) {
        let cancel = Cancel::new();
        let mut attempts = self.lock();
        if attempts.interrupted {
            cancel.cancel();
        }
        attempts.entered.insert(invocation, (epoch, cancel));
    }

    pub(crate) fn cancel_signal(&self, invocation: InvocationId, epoch: Epoch) -> Option<Cancel> {
        let attempts = self.lock();
        let (entered, cancel) = attempts.entered.get(&invocation)?;
        (*entered == epoch).then(|| cancel.clone())
    }

    /// Cancels the attempt of an invocation that is to be stopped.
    pub(crate) fn cancel(&self, invocation: InvocationId) {
        if let Some((_, cancel)) = self.lock().entered.get(&invocation) {
            cancel.cancel();
        }
    }

    /// Cancels every attempt, those that are still to be entered as well, because the process ends.
    pub(crate) fn interrupt(&self) {
        let mut attempts = self.lock();
        attempts.interrupted = true;
        attempts.entered.values().for_each(|(_, cancel)| cancel.cancel());
    }

    /// Whether attempts are being interrupted because the process ends.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.lock().interrupted
    }

    pub(crate) fn leave(&self, invocation: InvocationId, epoch: Epoch) {
        let mut attempts = self.lock();
        if attempts.entered.get(&invocation).is_some_and(|(entered, _)| *entered == epoch) {
            attempts.entered.remove(&invocation);
        }
    }

    pub(crate) fn contains(&self, invocation: InvocationId, epoch: Epoch) -> bool {
        self.lock().entered.get(&invocation).is_some_and(|(entered, _)| *entered == epoch)
    }

    fn lock(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().expect("nobody panics while holding the attempts")
    }
}

#[cfg(test)]
mod tests;
