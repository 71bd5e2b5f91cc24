//! One message becomes one task.
//!
//! Owns what is tried again and what is hopeless. A message that no task can carry is hopeless; all else waits, also for a
//! function that does not exist yet, since all messages of a source go to the same one.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bide_engine::{Engine, Error, Once, occurrence_id};
use bide_env::{Clock, Entropy, request_id};
use bide_types::{AccountId, Qualifier, RequestId};
use bytes::Bytes;
use tokio::sync::watch;

use crate::wait_after;

/// What a source invokes.
#[derive(Clone, Debug)]
pub(crate) struct FunctionName {
    pub(crate) account: AccountId,
    pub(crate) service: String,
    pub(crate) function: String,
    pub(crate) qualifier: Qualifier,
}

pub(crate) struct Intake {
    pub(crate) name: String,
    pub(crate) function: FunctionName,
    pub(crate) engine: Engine,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) stopping: watch::Receiver<bool>,
    pub(crate) taken: AtomicU64,
}

/// What to tell the broker about a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Its task is durable: acknowledge it.
    Durable,
    /// It can never become a task: let the broker put it aside.
    Hopeless,
    /// The server ends: say nothing, so that it comes again.
    Undecided,
}

impl Intake {
    /// The id of the task of a message; without an identity of the message it is new.
    pub(crate) fn task_of(&self, identity: Option<&[&[u8]]>) -> RequestId {
        match identity {
            Some(identity) => occurrence_id(&format!("source/{}", self.name), identity),
            None => request_id(self.entropy.as_ref()),
        }
    }

    /// Submits the task of a message; comes back when that is decided, however long it takes.
    pub(crate) async fn take(&self, id: RequestId, payload: Bytes) -> Verdict {
        let mut failures = 0;
        loop {
            match self.submit(id.clone(), payload.clone()).await {
                Ok(Once::Accepted | Once::Repeated) => {
                    self.taken.fetch_add(1, Ordering::Relaxed);
                    return Verdict::Durable;
                }
                Err(error @ Error::TooLarge(_)) => {
                    tracing::error!(source = %self.name, task = %id, %error, "a message can become no task and is put aside");
                    return Verdict::Hopeless;
                }
                Err(error) => {
                    failures += 1;
                    let wait = wait_after(failures);
                    tracing::warn!(
                        source = %self.name, task = %id, %error, wait_s = wait.as_secs(), "a message waits for its task"
                    );
                    if self.stops_within(wait).await {
                        return Verdict::Undecided;
                    }
                }
            }
        }
    }

    async fn submit(&self, id: RequestId, payload: Bytes) -> Result<Once, Error> {
        let FunctionName { account, service, function, qualifier } = &self.function;
        let target = self.engine.resolve(account, service, function, qualifier)?;
        self.engine.submit_once(&target, id, payload).await
    }

    /// Messages that became tasks so far.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Resolves when the server ends.
    pub(crate) async fn stopped(&self) {
        let _ = self.stopping.clone().wait_for(|stopping| *stopping).await; // one that is gone has ended
    }

    /// Waits; whether the server ends meanwhile.
    pub(crate) async fn stops_within(&self, wait: Duration) -> bool {
        tokio::select! {
            () = self.stopped() => true,
            () = self.clock.sleep(wait) => false,
        }
    }
}
