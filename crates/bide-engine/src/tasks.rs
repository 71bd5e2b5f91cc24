//! Task mode as callers see it: get, list, stop.
//!
//! Never waits for a stop to be carried out: it answers once the stop is durable (FC "StopStatefulAsyncInvocation").

use std::sync::Arc;

use bide_core::Ledger;
use bide_store::{Stop, StopReply, TaskPage, TaskQuery, TaskView};
use bide_types::TaskId;

use crate::catalog::Target;
use crate::error::Error;
use crate::start::Engine;

impl Engine {
    /// One task with its event and, if it returned, its result.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub async fn task(&self, target: &Target, task: &TaskId) -> Result<TaskView, Error> {
        let found = self.shared.store.task(target.function().id, task.clone()).await?;
        found.ok_or_else(|| Error::TaskNotFound(task.clone()))
    }

    /// A page of the function's tasks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tasks(&self, query: TaskQuery) -> Result<TaskPage, Error> {
        Ok(self.shared.store.tasks(query).await?)
    }

    /// Ends a task. One that waits never runs; one that runs is interrupted. A task that is stopping or settled stays
    /// as it is, which is no error (fc-behaviour 3.3).
    ///
    /// # Errors
    /// [`Error::TaskNotFound`], or when the stop cannot be stored.
    pub async fn stop_task(&self, target: &Target, task: &TaskId) -> Result<(), Error> {
        let stop = Stop {
            function: target.function().id,
            task: task.clone(),
            policies: Arc::clone(&target.entry.policies),
        };
        match self.shared.batcher.stop(stop).await? {
            StopReply::NotFound => Err(Error::TaskNotFound(task.clone())),
            StopReply::Stopped { .. } | StopReply::Stopping { .. } | StopReply::Unchanged { .. } => Ok(()),
        }
    }

    /// What became of everything that the function was ever sent.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ledger(&self, target: &Target) -> Result<Ledger, Error> {
        Ok(self.shared.store.ledger(target.function().id).await?)
    }
}
