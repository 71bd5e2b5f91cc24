//! The engine: wiring, start and orderly end.
//!
//! Start: read the catalog, lapse the leases of dead processes, then dispatch. End: accept nothing new, let attempts
//! finish within the drain timeout, interrupt the rest (their work runs again at the next start), stop the instances,
//! flush. A crash instead of an end costs nothing but the attempts under way.

use std::sync::Arc;

use bide_core::LeaseHolder;
use bide_env::{Clock, Entropy};
use bide_runtime::Executor;
use bide_store::{Health, Store, StoreError};
use bide_types::resource::{AsyncInvokeConfig, Function, Service};
use bide_types::{AccountId, FunctionId, Qualifier, Timestamp};
use bytes::Bytes;
use tokio::sync::{Semaphore, watch};

use crate::background::{Background, Broken};
use crate::batcher::Batcher;
use crate::catalog::{Catalog, Listing, LoadError, Target, Versioned, async_config::no_config};
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::options::{Options, UNSTORED_BYTES_MAX};
use crate::running::Running;
use crate::signals::Signals;
use crate::{deliver, maintenance};

/// What the engine works with.
pub struct Dependencies {
    pub store: Arc<dyn Store>,
    pub executor: Arc<dyn Executor>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    /// Of this start; never used by another.
    pub holder: LeaseHolder,
}

/// The engine cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot load the catalog")]
    Catalog(#[from] LoadError),
    #[error("cannot recover what a former process left")]
    Recovery(#[from] StoreError),
}

/// A handle to the running engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    background: Arc<tokio::sync::Mutex<Background>>,
}

/// What the engine's tasks share.
pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) holder: LeaseHolder,
    pub(crate) options: Options,
    pub(crate) batcher: Batcher,
    pub(crate) catalog: Catalog,
    pub(crate) signals: Arc<Signals>,
    pub(crate) running: Arc<Running>,
    pub(crate) unstored_kibibytes: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    broken: Broken,
}

impl Shared {
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }
}

impl Engine {
    /// Recovers what a former process left, and starts.
    ///
    /// # Errors
    /// [`StartError`] when the store cannot be read or written.
    pub async fn start(dependencies: Dependencies, options: Options) -> Result<Self, StartError> {
        let Dependencies { store, executor, clock, entropy, holder } = dependencies;
        let (signals, running) = (Arc::new(Signals::default()), Arc::new(Running::default()));
        let (batcher, batcher_task) =
            Batcher::new(Arc::clone(&store), Arc::clone(&clock), Arc::clone(&signals), Arc::clone(&running));
        let mut background = Background::default();
        background.spawn_batcher(batcher_task.run());
        let catalog = Catalog::load(store.as_ref(), batcher.clone(), options.region.clone()).await?;
        let shared = Arc::new(Shared {
            store,
            executor,
            clock,
            entropy,
            holder,
            options,
            batcher,
            catalog,
            signals,
            running,
            unstored_kibibytes: Arc::new(Semaphore::new(UNSTORED_BYTES_MAX / 1024)),
            stopping: watch::Sender::new(false),
            broken: background.broken(),
        });
        shared.store.retain_packages(shared.catalog.packages()).await?;
        let lapsed = maintenance::lapse_leases(&shared).await?;
        if lapsed > 0 {
            tracing::info!(lapsed, "attempts that an earlier process left are tried again");
        }
        let signals = Arc::clone(&shared.signals);
        shared.executor.on_capacity(Arc::new(move |function| signals.capacity(function)));
        let stopping = || shared.stopping.subscribe();
        background.spawn("dispatcher", Dispatcher::new(Arc::clone(&shared)).run(stopping()));
        background.spawn("deliverer", deliver::run(Arc::clone(&shared), stopping()));
        background.spawn("maintenance", maintenance::run(Arc::clone(&shared), stopping()));
        Ok(Self { shared, background: Arc::new(tokio::sync::Mutex::new(background)) })
    }

    /// Ends in order; resolves when everything is stored and all instances are gone.
    pub async fn shutdown(&self) {
        self.drain().await;
        self.close().await;
    }

    /// Accepts and starts nothing new, and lets running attempts finish within the drain timeout; the rest is
    /// interrupted. Synchronous calls go on until [`Engine::close`].
    pub async fn drain(&self) {
        let shared = &self.shared;
        shared.stopping.send_replace(true);
        let mut background = self.background.lock().await;
        let in_time = tokio::select! {
            () = background.workers_ended() => true,
            () = shared.clock.sleep(shared.options.drain_timeout) => false,
        };
        if !in_time {
            tracing::warn!(
                "interrupting attempts that outlast the drain timeout; they run again at the next start"
            );
            shared.running.interrupt();
            background.workers_ended().await;
        }
    }

    /// Stops every instance and releases the store; call after [`Engine::drain`].
    pub async fn close(&self) {
        let shared = &self.shared;
        shared.executor.shutdown().await;
        self.background.lock().await.end_batcher().await;
        if let Err(error) = shared.store.close().await {
            tracing::error!(%error, "the store did not close cleanly");
        }
    }

    /// Why nothing can be accepted at present; `Ok` when it can.
    ///
    /// # Errors
    /// [`Error::ShuttingDown`], [`Error::Broken`] or [`Error::Store`].
    pub fn ready(&self) -> Result<(), Error> {
        self.check_open()?;
        match self.shared.store.health() {
            Health::Ok => Ok(()),
            Health::Faulted(reason) => Err(Error::Store(StoreError::Faulted { reason })),
        }
    }

    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.shared.is_stopping() {
            return Err(Error::ShuttingDown);
        }
        self.shared.broken.task().map_or(Ok(()), |task| Err(Error::Broken(task)))
    }

    /// Resolves with the name of a background task that broke off, which only a bug makes one do: the process should be
    /// started again.
    pub async fn broke(&self) -> &'static str {
        self.shared.broken.broke().await
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.shared.entropy
    }

    /// The region in resource names.
    pub fn region(&self) -> &str {
        &self.shared.options.region
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}

/// Control objects.
impl Engine {
    /// # Errors
    /// [`Error::ServiceExists`], [`Error::LimitExceeded`], or when it cannot be stored.
    pub async fn create_service(&self, service: Service) -> Result<Versioned<Service>, Error> {
        self.check_open()?;
        self.shared.catalog.create_service(service).await
    }

    /// # Errors
    /// [`Error::ServiceNotFound`].
    pub fn service(&self, account: &AccountId, name: &str) -> Result<Versioned<Service>, Error> {
        self.shared.catalog.service(account, name)
    }

    /// Replaces a service. `revision` is that of the object that the caller changed; `None` overwrites.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`]; [`Error::Conflict`] when another change came first.
    pub async fn replace_service(
        &self,
        service: Service,
        revision: Option<u64>,
    ) -> Result<Versioned<Service>, Error> {
        self.check_open()?;
        self.shared.catalog.replace_service(service, revision, self.now()).await
    }

    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::ServiceNotEmpty`], [`Error::Conflict`].
    pub async fn delete_service(
        &self,
        account: &AccountId,
        name: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.shared.catalog.delete_service(account, name, revision).await
    }

    /// One page of the account's services by name, and the name that the next page starts with.
    pub fn services(
        &self,
        account: &AccountId,
        listing: &Listing,
    ) -> (Vec<Versioned<Service>>, Option<String>) {
        self.shared.catalog.services(account, listing)
    }

    /// Keeps a code package, so that a function can name its digest (lower-case hex SHA-256).
    ///
    /// # Errors
    /// When it cannot be stored.
    pub async fn put_package(&self, digest: String, zip: Bytes) -> Result<(), Error> {
        self.check_open()?;
        Ok(self.shared.store.put_package(digest, zip).await?)
    }

    /// # Errors
    /// When it cannot be read.
    pub async fn package(&self, digest: &str) -> Result<Option<Bytes>, Error> {
        Ok(self.shared.store.package(digest.to_owned()).await?)
    }

    /// Creates a function; its `id` and `revision` are assigned here.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::FunctionExists`], [`Error::LimitExceeded`].
    pub async fn create_function(&self, function: Function) -> Result<Versioned<Function>, Error> {
        self.check_open()?;
        self.shared.catalog.create_function(function).await
    }

    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::FunctionNotFound`].
    pub fn function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
    ) -> Result<Versioned<Function>, Error> {
        self.shared.catalog.function(account, service, function)
    }

    /// Replaces a function; instances of the old code finish what they run. `revision` as in
    /// [`Engine::replace_service`].
    ///
    /// # Errors
    /// [`Error::FunctionNotFound`]; [`Error::Conflict`] when another change came first.
    pub async fn replace_function(
        &self,
        function: Function,
        revision: Option<u64>,
    ) -> Result<Versioned<Function>, Error> {
        self.check_open()?;
        let function = self.shared.catalog.replace_function(function, revision, self.now()).await?;
        self.after_function_change(function.value.id);
        Ok(function)
    }

    /// Deletes a function with its configurations. What waits for it is settled as invalid.
    ///
    /// # Errors
    /// [`Error::FunctionNotFound`], [`Error::Conflict`].
    pub async fn delete_function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        self.check_open()?;
        let id =
            self.shared.catalog.delete_function(account, service, function, revision, self.now()).await?;
        self.after_function_change(id);
        Ok(())
    }

    fn after_function_change(&self, function: FunctionId) {
        self.shared.executor.retire(function);
        self.shared.signals.capacity(function);
    }

    /// # Errors
    /// [`Error::ServiceNotFound`].
    pub fn functions(
        &self,
        account: &AccountId,
        service: &str,
        listing: &Listing,
    ) -> Result<(Vec<Versioned<Function>>, Option<String>), Error> {
        self.shared.catalog.functions(account, service, listing)
    }

    /// Functions of the account that have task mode on for some qualifier, with those qualifiers.
    pub fn stateful_functions(&self, account: &AccountId) -> Vec<(Versioned<Function>, Vec<Qualifier>)> {
        let stateful = |entry: Arc<crate::catalog::FunctionEntry>| {
            let configs = entry.configs.iter().filter(|(_, config)| config.value.stateful == Some(true));
            let qualifiers: Vec<Qualifier> = configs.map(|(qualifier, _)| qualifier.clone()).collect();
            (!qualifiers.is_empty()).then(|| (entry.function.clone(), qualifiers))
        };
        self.shared.catalog.functions_of(account).into_iter().filter_map(stateful).collect()
    }

    /// Finds what a call is addressed to.
    ///
    /// # Errors
    /// The not-found error of the first part that does not exist.
    pub fn resolve(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        qualifier: &Qualifier,
    ) -> Result<Target, Error> {
        self.shared.catalog.resolve(account, service, function, qualifier)
    }

    /// Creates or changes the configuration of a target: `change` gets the present one, or an empty one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a destination that is not supported or is the function itself.
    pub async fn put_async_config(
        &self,
        target: &Target,
        change: impl FnOnce(&mut AsyncInvokeConfig) + Send,
    ) -> Result<Versioned<AsyncInvokeConfig>, Error> {
        self.check_open()?;
        self.shared.catalog.put_async_config(target, self.now(), change).await
    }

    /// # Errors
    /// [`Error::AsyncConfigNotExists`].
    pub fn async_config(&self, target: &Target) -> Result<Versioned<AsyncInvokeConfig>, Error> {
        target.async_config().cloned().ok_or_else(|| no_config(target))
    }

    /// All configurations of the target's function, by qualifier.
    pub fn async_configs(&self, target: &Target) -> Vec<Versioned<AsyncInvokeConfig>> {
        target.entry.configs.values().cloned().collect()
    }

    /// # Errors
    /// [`Error::AsyncConfigNotExists`].
    pub async fn delete_async_config(&self, target: &Target) -> Result<(), Error> {
        self.check_open()?;
        self.shared.catalog.delete_async_config(target).await
    }
}
