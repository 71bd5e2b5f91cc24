//! One node: store, instances, engine and edge put together, and taken apart in the reverse order.
//!
//! Owns the wiring and nothing else. `start`: data directory, credentials, store, pools, engine (which recovers),
//! serving, ready. `stop`: no new requests and attempts, running ones finish, then instances and store end. A crash takes the
//! same way in at the next start.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use bide_api::auth::Credential;
use bide_api::{ApiState, PublicAddress};
use bide_destinations::Targets;
use bide_engine::{Dependencies, Engine, Options};
use bide_env::{Clock, Entropy, SystemClock, SystemEntropy};
use bide_runtime::{BoxFuture, CodeSource, PoolOptions, Pools};
use bide_sources::{Source, Sources};
use bide_store::Store;
use bide_store_local::LocalStore;
use bide_types::AccountId;
use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::monitoring::{self, Monitoring};
use crate::settings::{SenderEntry, Settings, stored};
use crate::{containment, descriptors};

/// A running server.
pub(crate) struct Node {
    engine: Engine,
    address: SocketAddr,
    data_dir: PathBuf,
    credential: Credential,
    sources: Sources,
    stop_serving: oneshot::Sender<()>,
    server: JoinHandle<()>,
    monitoring: monitoring::Serving,
}

impl Node {
    /// Starts everything; returns when the server answers.
    pub(crate) async fn start(settings: Settings) -> anyhow::Result<Self> {
        // First what can be refused without consequences: once the engine runs, so does the work that waits.
        let connections_max = descriptors::connections_max();
        let listener = TcpListener::bind(settings.listen)
            .await
            .with_context(|| format!("cannot listen on {}", settings.listen))?;
        let address = listener.local_addr()?;
        let data_dir = settings.data_dir.clone();
        let store = open_store(&data_dir, settings.disk_reserve_bytes)?;
        let credentials = credentials(&settings)?;
        let credential = credentials.first().context("no credentials")?.clone();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let pools = start_pools(&settings, Arc::clone(&clock), Arc::clone(&store)).await?;
        let monitoring = Monitoring::new(&settings).await?;
        let destinations = Targets::new(settings.destinations.clone(), &clock)?;
        let sole_account = sole_account(&credentials);
        let senders = SenderEntry::read_all(&settings.event_senders, sole_account.as_ref())?;
        let sources = Source::read(settings.event_sources.clone(), sole_account.as_ref())?;
        let dependencies = Dependencies {
            holder: store.holder(),
            store,
            executor: Arc::new(pools),
            clock: Arc::clone(&clock),
            entropy: Arc::new(SystemEntropy),
            destinations: Arc::new(destinations),
            observer: monitoring.observer(),
        };
        let engine = Engine::start(dependencies, engine_options(&settings)).await?;
        let monitoring = monitoring.serve(&engine, &clock);
        let state = ApiState::new(
            engine.clone(),
            credentials.into_iter().collect(),
            Arc::clone(&clock),
            Arc::new(SystemEntropy),
            PublicAddress::HostHeader { default_port: address.port() },
            settings.domains.clone(),
        )
        .with_event_senders(senders);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let sources = Sources::start(sources, &engine, &clock, &entropy);
        let (stop_serving, stopped) = oneshot::channel::<()>();
        let drain_timeout = settings.drain_timeout;
        let server = tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await; // a sender that is gone means the same
            };
            let router = bide_api::router(Arc::new(state));
            bide_api::serve(listener, connections_max, router, clock, drain_timeout, shutdown).await;
        });
        Ok(Self { engine, address, data_dir, credential, sources, stop_serving, server, monitoring })
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Where Prometheus reads, if it may.
    pub(crate) fn metrics_address(&self) -> Option<SocketAddr> {
        self.monitoring.address()
    }

    /// A credential that the server accepts.
    pub(crate) fn credential(&self) -> &Credential {
        &self.credential
    }

    /// Resolves when the node can do its work no longer, with the reason.
    pub(crate) async fn failed(&mut self) -> String {
        tokio::select! {
            task = self.engine.broke() => format!("the engine's {task} broke off"),
            ended = &mut self.server => format!("the listener ended: {ended:?}"),
        }
    }

    /// Ends in order; resolves when everything is stored and all instances are gone.
    pub(crate) async fn stop(self) {
        let _ = self.stop_serving.send(());
        let served = async {
            if !self.server.is_finished()
                && let Err(error) = self.server.await
            {
                tracing::error!(%error, "the listener did not end cleanly");
            }
        };
        tokio::join!(served, self.sources.stop(), self.engine.drain());
        self.engine.close().await;
        drop(self.engine);
        self.monitoring.stop().await;
    }
}

fn open_store(data_dir: &Path, reserve_bytes: u64) -> anyhow::Result<Arc<LocalStore>> {
    let options = bide_store_local::Options { reserve_bytes, ..bide_store_local::Options::default() };
    let store = LocalStore::open(data_dir, options)
        .with_context(|| format!("cannot open the data directory {}", data_dir.display()))?;
    Ok(Arc::new(store))
}

/// The configured credentials, or those of the data directory.
fn credentials(settings: &Settings) -> anyhow::Result<Vec<Credential>> {
    if !settings.credentials.is_empty() {
        return Ok(settings.credentials.clone());
    }
    Ok(stored(&settings.data_dir, Some(&SystemEntropy))?.into_iter().collect())
}

/// The account of all credentials, if there is one only.
fn sole_account(credentials: &[Credential]) -> Option<AccountId> {
    let account = credentials.first()?.account();
    credentials.iter().all(|credential| credential.account() == account).then(|| account.clone())
}

async fn start_pools(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    store: Arc<LocalStore>,
) -> anyhow::Result<Pools> {
    let mut options = PoolOptions::new(std::path::absolute(settings.data_dir.join("cache"))?);
    let set = |target: &mut PathBuf, value: &Option<PathBuf>| {
        if let Some(value) = value {
            target.clone_from(value);
        }
    };
    set(&mut options.python, &settings.python);
    set(&mut options.node, &settings.node);
    options.hurried_hook_time = settings.drain_timeout;
    options.idle_timeout = settings.idle_timeout.unwrap_or(options.idle_timeout);
    options.start_timeout = settings.start_timeout.unwrap_or(options.start_timeout);
    options.instances_per_account_max =
        settings.instances_per_account.unwrap_or(options.instances_per_account_max);
    options.instances_per_function_max =
        settings.instances_per_function.unwrap_or(options.instances_per_function_max);
    options.attempt_log_bytes = settings.task_log_bytes.unwrap_or(options.attempt_log_bytes);
    options.standby_instances = settings.standby_instances.unwrap_or(options.standby_instances);
    options.shared_dirs.clone_from(&settings.shared_dirs);
    let launcher = containment::launcher(settings.sandbox).await?;
    Pools::start(options, clock, &SystemEntropy, Arc::new(StoredCode(store)), launcher)
        .await
        .context("cannot prepare the runtimes")
}

fn engine_options(settings: &Settings) -> Options {
    let defaults = Options::default();
    Options {
        region: settings.region.clone(),
        task_retention: settings.task_retention.unwrap_or(defaults.task_retention),
        drain_timeout: settings.drain_timeout,
        missed_ticks: settings.missed_ticks.into(),
        dead_letter_retention: settings.dead_letter_retention.unwrap_or(defaults.dead_letter_retention),
        dead_letters_max: settings.dead_letters_max.unwrap_or(defaults.dead_letters_max),
        sampling: settings.monitoring.tracing.as_ref().map(|tracing| tracing.sampling),
    }
}

/// Hands the store's code packages to the pools.
struct StoredCode(Arc<LocalStore>);

impl CodeSource for StoredCode {
    fn fetch(&self, digest: &str) -> BoxFuture<'_, io::Result<Bytes>> {
        let digest = digest.to_owned();
        Box::pin(async move {
            let found = self.0.package(digest.clone()).await.map_err(io::Error::other)?;
            found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no code package {digest}")))
        })
    }
}
