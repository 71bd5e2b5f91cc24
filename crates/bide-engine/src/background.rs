//! The engine's background tasks: watched while they run, ended in order.
//!
//! Owns the rule that none of them is missed in silence. Only a bug makes one panic, but a node whose dispatcher or
//! batcher broke off would look well and do nothing; so the engine is not ready from then on and accepts nothing until
//! the process is started again, which recovers as after a crash.

use std::future::Future;

use tokio::sync::watch;
use tokio::task::JoinSet;

/// The tasks, and which of them broke off.
#[derive(Default)]
pub(crate) struct Background {
    /// End by themselves once the engine is stopping.
    workers: JoinSet<()>,
    /// Serves the workers to their end.
    batcher: JoinSet<()>,
    broken: Broken,
}

/// The name of the first task that broke off, if one did. Clones share it.
#[derive(Clone)]
pub(crate) struct Broken(watch::Sender<Option<&'static str>>);

impl Default for Broken {
    fn default() -> Self {
        Self(watch::Sender::new(None))
    }
}

impl Background {
    pub(crate) fn spawn_batcher(&mut self, batcher: impl Future<Output = ()> + Send + 'static) {
        self.batcher.spawn(self.broken.clone().watch("batcher", batcher));
    }

    pub(crate) fn spawn(&mut self, name: &'static str, worker: impl Future<Output = ()> + Send + 'static) {
        self.workers.spawn(self.broken.clone().watch(name, worker));
    }

    pub(crate) fn broken(&self) -> Broken {
        self.broken.clone()
    }

    /// Resolves when every worker has ended. May be dropped and called again.
    pub(crate) async fn workers_ended(&mut self) {
        while self.workers.join_next().await.is_some() {}
    }

    /// Ends the batcher; call when nobody needs it any more.
    pub(crate) async fn end_batcher(&mut self) {
        self.batcher.shutdown().await;
    }
}

impl Broken {
    pub(crate) fn task(&self) -> Option<&'static str> {
        *self.0.borrow()
    }

    /// Resolves with the task's name once one broke off.
    pub(crate) async fn broke(&self) -> &'static str {
        let mut changes = self.0.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        changes.wait_for(Option::is_some).await.ok().and_then(|name| *name).unwrap_or("engine")
    }

    async fn watch(self, name: &'static str, task: impl Future<Output = ()>) {
        let _note = NoteOnPanic { broken: self, name };
        task.await;
    }
}

struct NoteOnPanic {
    broken: Broken,
    name: &'static str,
}

impl Drop for NoteOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!(task = self.name, "a task of the engine broke off; start the server again");
            self.broken.0.send_if_modified(|first| match first {
                Some(_) => false,
                None => {
                    *first = Some(self.name);
                    true
                }
            });
        }
    }
}
