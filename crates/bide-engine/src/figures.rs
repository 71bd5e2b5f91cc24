//! The counts of a node that are read and not told: they are in the store and in the pools, so they are right after a
//! restart.
//!
//! Owns how they are gathered. A look at a node with many functions gives way to other work now and then.

use std::collections::HashMap;
use std::sync::Arc;

use bide_core::Ledger;
use bide_runtime::{ExecutorStats, InstanceState};
use bide_store::{Stats, StoreError};
use bide_types::FunctionId;
use bide_types::resource::Function;

use crate::catalog::FunctionEntry;
use crate::start::Engine;

/// Ledgers that are read before others get their turn.
const LEDGERS_AT_ONCE: usize = 64;

/// What a node has and has done.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Whether new work is accepted.
    pub is_ready: bool,
    /// Since the node started.
    pub store: Stats,
    pub instances: ExecutorStats,
    pub dead_letters: usize,
    /// Of every function of every account, in the order of their ids.
    pub functions: Vec<FunctionFigures>,
}

/// The same of one function, all its versions together.
#[derive(Clone, Debug)]
pub struct FunctionFigures {
    pub function: Arc<Function>,
    /// Since the function was created.
    pub ledger: Ledger,
    pub instances: InstanceFigures,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstanceFigures {
    /// All that exist.
    pub total: usize,
    pub busy: usize,
    /// Those of them that are kept ready by a provision configuration.
    pub provisioned: usize,
    pub provisioned_target: u32,
    /// Most on demand that scaling configurations allow; `None` if none says so.
    pub on_demand_quota: Option<u64>,
}

impl Engine {
    /// # Errors
    /// When the store cannot be read.
    pub async fn figures(&self) -> Result<Figures, StoreError> {
        let shared = &self.shared;
        let mut instances: HashMap<FunctionId, InstanceFigures> = HashMap::new();
        for instance in shared.executor.instances() {
            let figures = instances.entry(instance.function).or_default();
            figures.total += 1;
            figures.busy += usize::from(instance.state == InstanceState::Busy);
        }
        let mut entries = shared.catalog.entries();
        entries.sort_unstable_by_key(|entry| entry.id());
        let mut functions = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter().enumerate() {
            if index % LEDGERS_AT_ONCE == LEDGERS_AT_ONCE - 1 {
                tokio::task::yield_now().await;
            }
            let ledger = shared.store.ledger(entry.id()).await?;
            let counted = instances.remove(&entry.id()).unwrap_or_default();
            let instances = self.scaled(entry, counted);
            functions.push(FunctionFigures {
                function: Arc::clone(&entry.function.value),
                ledger,
                instances,
            });
        }
        Ok(Figures {
            is_ready: self.ready().is_ok(),
            store: shared.store.stats(),
            instances: shared.executor.stats(),
            dead_letters: shared.store.dead_letter_count().await?,
            functions,
        })
    }

    fn scaled(&self, entry: &FunctionEntry, mut figures: InstanceFigures) -> InstanceFigures {
        for spec in entry.specs() {
            if spec.scale.provisioned > 0 {
                let status = self.shared.executor.provision_status(entry.id(), &spec.qualifier);
                figures.provisioned += status.current;
                figures.provisioned_target += spec.scale.provisioned;
            }
            if let Some(max) = spec.scale.on_demand_max {
                *figures.on_demand_quota.get_or_insert(0) += u64::from(max);
            }
        }
        figures
    }
}
