//! What operators see of a node, put together: the observers of the engine, and the page of figures.
//!
//! Owns their wiring and their end. Nothing of the work waits for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bide_engine::{Engine, Observer};
use bide_env::Clock;
use bide_telemetry::{Metrics, Observers, RequestLog, Token, page};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::settings::Settings;

/// Open connections to the page of figures.
const CONNECTIONS_MAX: usize = 16;
/// A look that is under way when the server ends gets this long.
const DRAIN: Duration = Duration::from_secs(1);

/// What was asked for, before the engine runs.
pub(crate) struct Monitoring {
    page: Option<Page>,
    request_log: bool,
}

struct Page {
    metrics: Arc<Metrics>,
    listener: TcpListener,
    address: SocketAddr,
    token: Option<Token>,
}

/// The same while the node runs.
pub(crate) struct Serving {
    page: Option<(SocketAddr, oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Monitoring {
    /// # Errors
    /// When an address cannot be listened on.
    pub(crate) async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let request_log = settings.monitoring.request_log;
        let Some(wanted) = &settings.monitoring.metrics_page else {
            return Ok(Self { page: None, request_log });
        };
        let listener = TcpListener::bind(wanted.listen)
            .await
            .with_context(|| format!("cannot listen on {} for metrics", wanted.listen))?;
        let address = listener.local_addr()?;
        let page = Page { metrics: Arc::default(), listener, address, token: wanted.token.clone() };
        Ok(Self { page: Some(page), request_log })
    }

    /// What the engine tells of its work.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        let metrics = self.page.as_ref().map(|page| Arc::clone(&page.metrics) as Arc<dyn Observer>);
        let request_log = self.request_log.then(|| Arc::new(RequestLog) as Arc<dyn Observer>);
        Arc::new(Observers(metrics.into_iter().chain(request_log).collect()))
    }

    pub(crate) fn serve(self, engine: &Engine, clock: &Arc<dyn Clock>) -> Serving {
        let Some(Page { metrics, listener, address, token }) = self.page else {
            return Serving { page: None };
        };
        let router = page(metrics, engine.clone(), env!("CARGO_PKG_VERSION"), token);
        let (stop, stopped) = oneshot::channel();
        let clock = Arc::clone(clock);
        let server = tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await; // a sender that is gone means the same
            };
            bide_api::serve(listener, CONNECTIONS_MAX, router, clock, DRAIN, shutdown).await;
        });
        Serving { page: Some((address, stop, server)) }
    }
}

impl Serving {
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.page.as_ref().map(|(address, ..)| *address)
    }

    /// Figures can be read until here.
    pub(crate) async fn stop(self) {
        let Some((_, stop, server)) = self.page else { return };
        let _ = stop.send(());
        if let Err(error) = server.await {
            tracing::error!(%error, "the page of figures did not end cleanly");
        }
    }
}
