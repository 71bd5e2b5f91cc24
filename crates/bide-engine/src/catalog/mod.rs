//! Services, their versions and aliases, functions, their configurations, layers, triggers and domains: what a call is resolved against.
//!
//! Owns the in-memory view of all control objects, and their changes: an object is changed in the store first and in
//! the view after the commit, so a crash in between shows the new object after the restart. Never changes an object
//! without checking the revision its writer saw.

mod alias;
pub(crate) mod async_config;
mod domain;
mod entry;
mod function;
mod layer;
mod leave;
mod retired;
mod scaling;
mod service;
mod stored;
mod subdomain;
mod subscription;
mod timer;
mod trigger;
mod version;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use bide_core::Policy;
use bide_runtime::FunctionSpec;
use bide_store::{ControlChange, ControlKey, ControlWrite, Expected, Store};
use bide_types::resource::{AsyncInvokeConfig, Function, ScalingConfig};
use bide_types::{AccountId, FunctionId, Qualifier};

use crate::batcher::Batcher;
use crate::error::Error;
pub(crate) use entry::{FunctionEntry, Run};
pub use layer::{NewLayerVersion, PublishedLayer};
pub use subdomain::subdomain;
pub(crate) use timer::{DueTimer, TimerStep};
pub use version::{PublishedVersion, VersionListing};
use view::View;

/// A control object and the revision to name when changing it.
#[derive(Debug)]
pub struct Versioned<T> {
    pub value: Arc<T>,
    pub revision: u64,
}

impl<T> Versioned<T> {
    /// # Errors
    /// [`Error::Conflict`] when the caller saw another revision; `None` saw none.
    fn check_seen(&self, revision: Option<u64>) -> Result<(), Error> {
        match revision {
            Some(seen) if seen != self.revision => Err(Error::Conflict),
            _ => Ok(()),
        }
    }
}

impl<T> Clone for Versioned<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), revision: self.revision }
    }
}

/// Which part of an alphabetical list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub prefix: Option<String>,
    /// First name to return, itself included.
    pub start: Option<String>,
    /// Most items to return.
    pub limit: usize,
}

/// What an invocation is addressed to, resolved.
#[derive(Clone)]
pub struct Target {
    pub(crate) entry: Arc<FunctionEntry>,
    pub qualifier: Qualifier,
    /// What a call now runs: of an alias with two versions, the one that was drawn.
    pub(crate) spec: Arc<FunctionSpec>,
}

pub(crate) struct Catalog {
    batcher: Batcher,
    region: String,
    view: Arc<RwLock<View>>,
    /// Serialises changes, so that a check and the change it allows are not interleaved with another.
    changing: Arc<tokio::sync::Mutex<()>>,
}

/// The right to change something.
pub(crate) type Changing = tokio::sync::OwnedMutexGuard<()>;

impl Target {
    /// `share`, from 0 to below 1, decides between the versions of an alias.
    pub(crate) fn new(
        entry: Arc<FunctionEntry>,
        qualifier: Qualifier,
        share: impl FnOnce() -> f64,
    ) -> Option<Self> {
        let spec = Arc::clone(entry.runs.get(&qualifier)?.drawn(share));
        Some(Self { entry, qualifier, spec })
    }

    /// The function as the target runs it.
    pub fn function(&self) -> &Arc<Function> {
        &self.spec.function
    }

    /// `LATEST`, or the number of the version that runs.
    pub fn version(&self) -> &Qualifier {
        &self.spec.qualifier
    }

    /// The alias that it was addressed by, if it was one.
    pub(crate) fn alias(&self) -> Option<Qualifier> {
        Some(&self.qualifier).filter(|qualifier| qualifier.is_alias()).cloned()
    }

    /// Every form of the function that the qualifier may run.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &Arc<FunctionSpec>> {
        self.entry.runs[&self.qualifier].specs()
    }

    /// The asynchronous configuration of the qualifier, if one was put.
    pub fn async_config(&self) -> Option<&Versioned<AsyncInvokeConfig>> {
        self.entry.configs.get(&self.qualifier)
    }

    /// How many instances the qualifier has, if that was put.
    pub(crate) fn scaling(&self) -> Option<&Versioned<ScalingConfig>> {
        self.entry.scaling.get(&self.qualifier)
    }

    /// Whether every asynchronous call of this qualifier is a task.
    pub(crate) fn is_stateful(&self) -> bool {
        self.async_config().is_some_and(|config| config.value.stateful == Some(true))
    }

    pub(crate) fn policy(&self) -> &Policy {
        self.entry.policies.get(&self.qualifier).expect("a resolved qualifier is in the table")
    }
}

impl Catalog {
    /// Reads everything from the store.
    ///
    /// # Errors
    /// When the store cannot be read, or holds an object that cannot be understood.
    pub(crate) async fn load(store: &dyn Store, batcher: Batcher, region: String) -> Result<Self, LoadError> {
        let mut view = View::new(region.clone());
        for (key, object) in store.controls().await? {
            view.load(&key, &object)?;
        }
        view.link()?;
        Ok(Self { batcher, region, view: Arc::new(RwLock::new(view)), changing: Arc::default() })
    }

    /// Finds what a call is addressed to, and what it runs: `share`, from 0 to below 1, decides between the versions of
    /// an alias. The one place where names and a qualifier become a function.
    ///
    /// # Errors
    /// The not-found error of the first part that does not exist.
    pub(crate) fn resolve(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        qualifier: &Qualifier,
        share: impl FnOnce() -> f64,
    ) -> Result<Target, Error> {
        let view = self.view();
        let entry = view.function(account, service, function, qualifier)?;
        let target = Target::new(Arc::clone(entry), qualifier.clone(), share);
        target.ok_or_else(|| not_there(qualifier))
    }

    /// The function behind a subdomain, and the qualifier.
    ///
    /// # Errors
    /// That of the qualifier when it is gone; `None` when there is no such subdomain.
    pub(crate) fn by_subdomain(
        &self,
        label: &str,
        share: impl FnOnce() -> f64,
    ) -> Option<Result<Target, Error>> {
        let view = self.view();
        let (function, qualifier) = view.subdomains.get(label)?;
        let entry = Arc::clone(view.by_id.get(function)?);
        Some(Target::new(entry, qualifier.clone(), share).ok_or_else(|| not_there(qualifier)))
    }

    pub(crate) fn by_id(&self, function: FunctionId) -> Option<Arc<FunctionEntry>> {
        self.view().by_id.get(&function).cloned()
    }

    /// Every function, in no order.
    pub(crate) fn entries(&self) -> Vec<Arc<FunctionEntry>> {
        self.view().by_id.values().cloned().collect()
    }

    pub(crate) fn account_of(&self, function: FunctionId) -> Option<AccountId> {
        self.view().by_id.get(&function).map(|entry| entry.function.value.account.clone())
    }

    /// What functions unpack: the code of each, and its layers together.
    pub(crate) fn unpacked(&self) -> Vec<Vec<String>> {
        let view = self.view();
        let specs = view.by_id.values().flat_map(|entry| entry.specs());
        specs
            .map(|spec| &spec.function)
            .flat_map(|function| {
                let layers = function.layers.iter().map(|layer| layer.digest.clone()).collect();
                [vec![function.code.digest.clone()], layers]
            })
            .filter(|packages| !packages.is_empty())
            .collect()
    }

    /// Digests of the packages of all layer versions.
    pub(crate) fn layer_packages(&self) -> Vec<String> {
        let view = self.view();
        let versions =
            view.layers.values().flat_map(BTreeMap::values).flat_map(|layer| &layer.value.versions);
        versions.map(|version| version.code.digest.clone()).collect()
    }

    fn view(&self) -> std::sync::RwLockReadGuard<'_, View> {
        self.view.read().expect("nobody panics while changing the view")
    }

    /// The target as it is now; call while changing.
    fn refresh(&self, target: &Target) -> Result<Target, Error> {
        let function = target.function();
        let (service, name) = (function.service.as_str(), function.name.as_str());
        self.resolve(&function.account, service, name, &target.qualifier, || 0.0)
    }

    /// Holds off all changes, until it is dropped or used up by one.
    pub(crate) async fn begin(&self) -> Changing {
        Arc::clone(&self.changing).lock_owned().await
    }

    /// Stores one change and then shows it in the view; `show` is given the revision of the last write. Both happen
    /// even if the caller goes away meanwhile, or the view would contradict the store until the next start.
    async fn commit<T: Send + 'static>(
        &self,
        changing: Changing,
        writes: Vec<ControlWrite>,
        show: impl FnOnce(&mut View, u64) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (batcher, view) = (self.batcher.clone(), Arc::clone(&self.view));
        let change = tokio::spawn(async move {
            let _changing = changing;
            let revision = batcher.control(ControlChange::of(writes)).await?.map_err(|_| Error::Conflict)?;
            Ok(show(&mut view.write().expect("nobody panics while changing the view"), revision))
        });
        change.await.unwrap_or_else(|_| Err(Error::System("the change broke off".to_owned())))
    }
}

/// The stored catalog cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Store(#[from] bide_store::StoreError),
    #[error("control object {key} cannot be understood; it was written by a newer bide, or is damaged")]
    Object {
        key: String,
        #[source]
        source: serde_json::Error,
    },
    #[error(
        "control object {0} is without what belongs to it; run `bide verify` on the data directory, and restore from a copy"
    )]
    Incomplete(String),
    #[error("control object {0} is of an unknown kind; it was written by a newer bide")]
    Kind(String),
}

fn not_there(qualifier: &Qualifier) -> Error {
    if qualifier.is_alias() {
        Error::AliasNotFound(qualifier.clone())
    } else {
        Error::VersionNotFound(qualifier.clone())
    }
}

fn expected(revision: Option<u64>) -> Expected {
    revision.map_or(Expected::Anything, Expected::Revision)
}

fn removal(key: ControlKey, revision: u64) -> ControlWrite {
    ControlWrite { key, expected: Expected::Revision(revision), value: None }
}

/// One page of an alphabetical map, and the name that the next page starts with.
fn page<'a, K, V>(items: impl Iterator<Item = (&'a K, V)>, listing: &Listing) -> (Vec<V>, Option<String>)
where
    K: std::borrow::Borrow<str> + 'a,
{
    let mut found = Vec::new();
    for (name, item) in items {
        let name: &str = name.borrow();
        let wanted = listing.start.as_deref().is_none_or(|start| name >= start)
            && listing.prefix.as_deref().is_none_or(|prefix| name.starts_with(prefix));
        if !wanted {
            continue;
        }
        if found.len() == listing.limit {
            return (found, Some(name.to_owned()));
        }
        found.push(item);
    }
    (found, None)
}
