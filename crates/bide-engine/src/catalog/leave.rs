//! What goes with a qualifier that ceases to exist: `LATEST` of a deleted function, a version, an alias.
//!
//! Owns that nothing stays behind and nobody is forgotten: in the commit that removes the qualifier its caps go, and its
//! asynchronous configuration becomes a former one, which still says who hears of what waits. When no qualifier is left,
//! the function is retired.

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::resource::AsyncInvokeConfig;
use bide_types::{Qualifier, Timestamp};

use super::entry::FunctionEntry;
use super::retired::Retired;
use super::stored::{config_key_of, encode, scaling_key};
use super::view::View;
use super::{Catalog, Changing, Versioned, removal};
use crate::error::Error;

impl Catalog {
    /// Removes `qualifier` from the functions of `entries`, together with `writes`; `remove` shows what these wrote.
    ///
    /// # Errors
    /// [`Error::ProvisionConfigExists`] while instances are kept ready for it.
    pub(super) async fn leave_qualifier(
        &self,
        changing: Changing,
        entries: Vec<Arc<FunctionEntry>>,
        qualifier: &Qualifier,
        now: Timestamp,
        mut writes: Vec<ControlWrite>,
        remove: impl FnOnce(&mut View) + Send + 'static,
    ) -> Result<(), Error> {
        let mut retired = Vec::new();
        let mut former = Vec::new();
        let of_qualifier = entries.iter().filter(|entry| entry.runs.contains_key(qualifier));
        for entry in of_qualifier {
            if entry.scaling.get(qualifier).is_some_and(|scaling| scaling.value.provisioned > 0) {
                return Err(Error::ProvisionConfigExists(entry.function.value.name.clone()));
            }
            if entry.runs.len() == 1 {
                writes.extend(removals(entry));
                retired.extend(Retired::of(entry, now));
                continue;
            }
            let scaling = entry.scaling.get(qualifier);
            writes
                .extend(scaling.map(|scaling| removal(scaling_key(entry.id(), qualifier), scaling.revision)));
            former.extend(entry.configs.get(qualifier).map(|config| Former::of(config, now)));
        }
        writes.extend(retired.iter().map(Retired::write));
        writes.extend(former.iter().map(Former::write));
        let qualifier = qualifier.clone();
        self.commit(changing, writes, move |view, _| {
            for entry in &entries {
                view.remove_scaling(entry.id(), &qualifier);
            }
            former.into_iter().for_each(|former| view.put_config(former.shown()));
            remove(view);
            retired.into_iter().for_each(|retired| retired.show(view, Retired::FIRST_REVISION));
        })
        .await
    }

    /// Configurations of qualifiers that are gone since before `before`, at most `max`.
    pub(crate) fn former_configs_before(
        &self,
        before: Timestamp,
        max: usize,
    ) -> Vec<Versioned<AsyncInvokeConfig>> {
        let view = self.view();
        let configs = view.by_id.values().flat_map(|entry| entry.configs.values());
        let old = configs.filter(|config| config.value.former_since.is_some_and(|since| since < before));
        old.take(max).cloned().collect()
    }

    /// Forgets the configuration of a qualifier that is gone, unless it was changed meanwhile.
    pub(crate) async fn forget_former_config(
        &self,
        config: &Versioned<AsyncInvokeConfig>,
    ) -> Result<(), Error> {
        let changing = self.begin().await;
        let write = removal(config_key_of(&config.value), config.revision);
        let config = Arc::clone(&config.value);
        self.commit(changing, vec![write], move |view, _| {
            view.remove_config(config.function, &config.qualifier);
        })
        .await
    }
}

/// A configuration whose qualifier is gone.
struct Former {
    config: AsyncInvokeConfig,
    /// Of the configuration while it was in force.
    revision: u64,
}

impl Former {
    fn of(config: &Versioned<AsyncInvokeConfig>, now: Timestamp) -> Self {
        let mut former = config.value.as_ref().clone();
        former.former_since = Some(now);
        Self { config: former, revision: config.revision }
    }

    fn write(&self) -> ControlWrite {
        ControlWrite {
            key: config_key_of(&self.config),
            expected: Expected::Revision(self.revision),
            value: Some(encode(&self.config)),
        }
    }

    fn shown(self) -> Versioned<AsyncInvokeConfig> {
        Versioned { value: Arc::new(self.config), revision: self.revision + 1 }
    }
}

/// Everything that is stored beside a function that is gone for good.
fn removals(entry: &FunctionEntry) -> impl Iterator<Item = ControlWrite> + '_ {
    let configs = entry.configs.values().map(|config| removal(config_key_of(&config.value), config.revision));
    let scalings = entry.scaling.values().map(|scaling| {
        removal(scaling_key(scaling.value.function, &scaling.value.qualifier), scaling.revision)
    });
    configs.chain(scalings)
}
