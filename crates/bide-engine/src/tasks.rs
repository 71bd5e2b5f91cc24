//! Task mode as callers see it: get, list, stop. And the counts of a node.
//!
//! Never waits for a stop to be carried out: it answers once the stop is durable (FC "StopStatefulAsyncInvocation").

use std::sync::Arc;

use bide_core::{CallKind, Ledger};
use bide_runtime::{Containment, ExecutorStats};
use bide_store::{Stats, Stop, StopReply, TaskLogs, TaskPage, TaskQuery, TaskView};
use bide_types::resource::Function;
use bide_types::{AccountId, TaskId};

use crate::catalog::Target;
use crate::error::Error;
use crate::http_payload;
use crate::start::Engine;

/// What a node did and does.
#[derive(Clone, Debug)]
pub struct NodeStatus {
    /// Since the node started.
    pub store: Stats,
    /// At this moment.
    pub instances: ExecutorStats,
    pub containment: Containment,
    /// Since each function was created; in the order of service and name.
    pub functions: Vec<(Arc<Function>, Ledger)>,
}

impl Engine {
    /// One task with its event and, if it returned, its result.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub async fn task(&self, target: &Target, task: &TaskId) -> Result<TaskView, Error> {
        let found = self.shared.store.task(target.function().id, task.clone()).await?;
        let mut found = found.ok_or_else(|| Error::TaskNotFound(task.clone()))?;
        show_body(&mut found)?;
        Ok(found)
    }

    /// One task with the logs of its attempts that are kept.
    ///
    /// # Errors
    /// [`Error::TaskNotFound`].
    pub async fn task_logs(&self, target: &Target, task: &TaskId) -> Result<TaskLogs, Error> {
        let found = self.shared.store.task_logs(target.function().id, task.clone()).await?;
        found.ok_or_else(|| Error::TaskNotFound(task.clone()))
    }

    /// A page of the function's tasks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tasks(&self, query: TaskQuery) -> Result<TaskPage, Error> {
        let mut page = self.shared.store.tasks(query).await?;
        page.tasks.iter_mut().try_for_each(show_body)?;
        Ok(page)
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

    /// Counts of this node, and of the functions of one account.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn status(&self, account: &AccountId) -> Result<NodeStatus, Error> {
        let mut functions = Vec::new();
        for entry in self.shared.catalog.functions_of(account) {
            let function = Arc::clone(&entry.function.value);
            let ledger = self.shared.store.ledger(function.id).await?;
            functions.push((function, ledger));
        }
        Ok(NodeStatus {
            store: self.shared.store.stats(),
            instances: self.shared.executor.stats(),
            containment: self.shared.executor.containment(),
            functions,
        })
    }
}

/// What callers see as the payload of an HTTP call is its body.
fn show_body(task: &mut TaskView) -> Result<(), Error> {
    if task.invocation.kind == CallKind::Http
        && let Some(payload) = &mut task.payload
    {
        *payload = http_payload::body(payload).map_err(|error| Error::System(error.to_string()))?;
    }
    Ok(())
}
