//! Functions that were deleted while somebody may still have to hear of their work.
//!
//! Owns what is kept of such a function: its name and its destinations, until nothing of it is under way and deliveries
//! have had their time. Kept only if it had a destination. Stored in the commit that deletes the function, so a crash
//! leaves either the function or what is retired of it.

use std::sync::Arc;

use bide_core::PolicyTable;
use bide_store::{ControlWrite, Expected};
use bide_types::resource::{AsyncInvokeConfig, Function};
use bide_types::{FunctionId, Timestamp};
use serde::{Deserialize, Serialize};

use super::entry::{FunctionEntry, policy};
use super::stored::{encode, retired_key};
use super::view::View;
use super::{Catalog, removal};
use crate::error::Error;

/// As stored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Retired {
    function: Function,
    configs: Vec<AsyncInvokeConfig>,
    retired_at: Timestamp,
}

/// As looked up.
pub(super) struct RetiredEntry {
    function: Arc<Function>,
    policies: Arc<PolicyTable>,
    retired_at: Timestamp,
    revision: u64,
}

impl Retired {
    /// What its one write leaves.
    pub(super) const FIRST_REVISION: u64 = 1;

    /// What is kept of a function that is deleted at `now`; nothing if it had no destination.
    pub(super) fn of(entry: &FunctionEntry, now: Timestamp) -> Option<Self> {
        let configs: Vec<AsyncInvokeConfig> = entry
            .configs
            .values()
            .map(|config| config.value.as_ref())
            .filter(|config| config.on_success.is_some() || config.on_failure.is_some())
            .cloned()
            .collect();
        let function = entry.function.value.as_ref().clone();
        (!configs.is_empty()).then_some(Self { function, configs, retired_at: now })
    }

    pub(super) fn write(&self) -> ControlWrite {
        let key = retired_key(self.function.id);
        ControlWrite { key, expected: Expected::Absent, value: Some(encode(self)) }
    }

    /// Shows in the view what was stored.
    pub(super) fn show(self, view: &mut View, revision: u64) {
        let policies = self.configs.iter().map(|config| (config.qualifier.clone(), policy(config)));
        let entry = RetiredEntry {
            policies: Arc::new(PolicyTable::former(policies)),
            retired_at: self.retired_at,
            revision,
            function: Arc::new(self.function),
        };
        view.retired.insert(entry.function.id, entry);
    }
}

impl Catalog {
    /// A function that exists, or one that was deleted and is still remembered.
    pub(crate) fn named(&self, function: FunctionId) -> Option<Arc<Function>> {
        let view = self.view();
        let live = view.by_id.get(&function).map(|entry| &entry.function.value);
        live.or_else(|| view.retired.get(&function).map(|entry| &entry.function)).cloned()
    }

    /// The policies of a function that was deleted: who hears of what waits for it.
    pub(crate) fn former_policies(&self, function: FunctionId) -> Arc<PolicyTable> {
        self.view().retired.get(&function).map(|entry| Arc::clone(&entry.policies)).unwrap_or_default()
    }

    /// Functions that were deleted before `before`, at most `max`.
    pub(crate) fn retired_before(&self, before: Timestamp, max: usize) -> Vec<FunctionId> {
        let view = self.view();
        let old = view.retired.iter().filter(|(_, entry)| entry.retired_at < before);
        old.map(|(id, _)| *id).take(max).collect()
    }

    /// Forgets a deleted function for good.
    pub(crate) async fn forget_retired(&self, function: FunctionId) -> Result<(), Error> {
        let changing = self.begin().await;
        let Some(revision) = self.view().retired.get(&function).map(|entry| entry.revision) else {
            return Ok(());
        };
        let write = removal(retired_key(function), revision);
        self.commit(changing, vec![write], move |view, _| view.retired.remove(&function)).await?;
        Ok(())
    }
}
