//! The engine: wiring, start and orderly end.
//!
//! Start: read the catalog, lapse the leases of dead processes, then dispatch. End: accept nothing new, let attempts
//! finish within the drain timeout, interrupt the rest (their work runs again at the next start), stop the instances,
//! flush. A crash instead of an end costs nothing but the attempts under way.

use std::sync::{Arc, Mutex};

use bide_core::LeaseHolder;
use bide_env::{Clock, Entropy, fraction};
use bide_runtime::Executor;
use bide_store::{Health, Store, StoreError};
use bide_types::{FunctionId, Timestamp};
use tokio::sync::{Semaphore, watch};

use crate::background::{Background, Broken};
use crate::batcher::{Batcher, Surroundings};
use crate::catalog::{Catalog, LoadError};
use crate::destinations::Destinations;
use crate::dispatch::Dispatcher;
use crate::error::Error;
use crate::observer::{Observer, Seen};
use crate::options::{Options, UNSTORED_BYTES_MAX};
use crate::packages::{self, Uploads};
use crate::running::Running;
use crate::signals::Signals;
use crate::{deliver, maintenance, timers};

/// What the engine works with.
pub struct Dependencies {
    pub store: Arc<dyn Store>,
    pub executor: Arc<dyn Executor>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub destinations: Arc<dyn Destinations>,
    pub observer: Arc<dyn Observer>,
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
    pub(crate) destinations: Arc<dyn Destinations>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) holder: LeaseHolder,
    pub(crate) options: Options,
    pub(crate) batcher: Batcher,
    pub(crate) catalog: Catalog,
    pub(crate) signals: Arc<Signals>,
    pub(crate) running: Arc<Running>,
    pub(crate) unstored_kibibytes: Arc<Semaphore>,
    pub(crate) uploads: Uploads,
    /// Held while the executor is told of a function, so that it hears of changes in their order.
    assigning: Mutex<()>,
    stopping: watch::Sender<bool>,
    broken: Broken,
}

impl Shared {
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(crate) fn observe(&self, seen: &Seen<'_>) {
        self.observer.observe(seen);
    }

    /// Where a call falls between the versions of an alias: from 0 to below 1.
    pub(crate) fn share(&self) -> f64 {
        fraction(self.entropy.as_ref())
    }

    /// Tells the executor how each version of a function is now, and that others are gone.
    pub(crate) fn assign(&self, function: FunctionId) {
        let _in_order = self.assigning.lock().expect("nobody panics while telling the executor");
        let entry = self.catalog.by_id(function);
        let specs: Vec<_> = entry.iter().flat_map(|entry| entry.specs()).collect();
        let versions: Vec<_> = specs.iter().map(|spec| spec.qualifier.clone()).collect();
        self.executor.retire_but(function, &versions);
        specs.into_iter().for_each(|spec| self.executor.assign(spec));
    }
}

impl Engine {
    /// Recovers what a former process left, and starts.
    ///
    /// # Errors
    /// [`StartError`] when the store cannot be read or written.
    pub async fn start(dependencies: Dependencies, options: Options) -> Result<Self, StartError> {
        let Dependencies { store, executor, clock, entropy, destinations, observer, holder } = dependencies;
        let (signals, running) = (Arc::new(Signals::default()), Arc::new(Running::default()));
        let (batcher, batcher_task) = Batcher::new(Surroundings {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            signals: Arc::clone(&signals),
            running: Arc::clone(&running),
            observer: Arc::clone(&observer),
        });
        let mut background = Background::default();
        background.spawn_batcher(batcher_task.run());
        let catalog = Catalog::load(store.as_ref(), batcher.clone(), options.region.clone()).await?;
        let shared = Arc::new(Shared {
            store,
            executor,
            clock,
            entropy,
            destinations,
            observer,
            holder,
            options,
            batcher,
            catalog,
            signals,
            running,
            unstored_kibibytes: Arc::new(Semaphore::new(UNSTORED_BYTES_MAX / 1024)),
            uploads: Uploads::default(),
            assigning: Mutex::default(),
            stopping: watch::Sender::new(false),
            broken: background.broken(),
        });
        packages::prune(&shared).await?;
        let lapsed = maintenance::lapse_leases(&shared).await?;
        if lapsed > 0 {
            tracing::info!(lapsed, "attempts that an earlier process left are tried again");
        }
        let signals = Arc::clone(&shared.signals);
        shared.executor.on_capacity(Arc::new(move |function| signals.capacity(function)));
        shared.catalog.entries().iter().for_each(|entry| shared.assign(entry.id()));
        let stopping = || shared.stopping.subscribe();
        background.spawn("dispatcher", Dispatcher::new(Arc::clone(&shared)).run(stopping()));
        background.spawn("deliverer", deliver::run(Arc::clone(&shared), stopping()));
        background.spawn("timers", timers::run(Arc::clone(&shared), stopping()));
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
            shared.executor.hurry();
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

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }
}
