//! What operators see of a node, put together: the observers of the engine, and the page of figures.
//!
//! Owns their wiring and their end. Nothing of the work waits for them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bide_engine::{Engine, Observer};
use bide_env::Clock;
use bide_telemetry::{Metrics, Observers, RequestLog, Sending, Token, page};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::settings::Settings;

/// Open connections to the page of figures.
const CONNECTIONS_MAX: usize = 16;
/// A look that is under way when the server ends gets this long.
const DRAIN: Duration = Duration::from_secs(1);
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What was asked for, before the engine runs.
pub(crate) struct Monitoring {
    metrics: Arc<Metrics>,
    observers: Observers,
    page: Option<Page>,
    sending: Option<Sending>,
}

struct Page {
    listener: TcpListener,
    address: SocketAddr,
    token: Option<Token>,
}

/// The same while the node runs.
pub(crate) struct Serving {
    page: Option<(SocketAddr, oneshot::Sender<()>, JoinHandle<()>)>,
    sending: Option<Sending>,
}

impl Monitoring {
    /// # Errors
    /// When an address cannot be listened on, or spans cannot be sent where the settings say.
    pub(crate) async fn new(settings: &Settings) -> anyhow::Result<Self> {
        let metrics = Arc::new(Metrics::default());
        let mut observers = Observers::default();
        let page = match &settings.monitoring.metrics_page {
            None => None,
            Some(wanted) => {
                let listener = TcpListener::bind(wanted.listen)
                    .await
                    .with_context(|| format!("cannot listen on {} for metrics", wanted.listen))?;
                observers.0.push(Arc::clone(&metrics) as Arc<dyn Observer>);
                let address = listener.local_addr()?;
                Some(Page { listener, address, token: wanted.token.clone() })
            }
        };
        if settings.monitoring.request_log {
            observers.0.push(Arc::new(RequestLog::new(host())));
        }
        let mut sending = None;
        if let Some(tracing) = &settings.monitoring.tracing {
            let (traces, task) = metrics.traces(tracing.receiver.clone(), VERSION)?;
            observers.0.push(Arc::new(traces));
            sending = Some(task);
        }
        Ok(Self { metrics, observers, page, sending })
    }

    /// What the engine tells of its work.
    pub(crate) fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(self.observers.clone())
    }

    pub(crate) fn serve(self, engine: &Engine, clock: &Arc<dyn Clock>) -> Serving {
        let Self { metrics, page: wanted, sending, .. } = self;
        let Some(Page { listener, address, token }) = wanted else { return Serving { page: None, sending } };
        let router = page(metrics, engine.clone(), VERSION, token);
        let (stop, stopped) = oneshot::channel();
        let clock = Arc::clone(clock);
        let server = tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await; // a sender that is gone means the same
            };
            bide_api::serve(listener, CONNECTIONS_MAX, router, clock, DRAIN, shutdown).await;
        });
        Serving { page: Some((address, stop, server)), sending }
    }
}

impl Serving {
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.page.as_ref().map(|(address, ..)| *address)
    }

    /// Figures can be read until here. The last spans are sent once the engine is gone.
    pub(crate) async fn stop(self) {
        if let Some((_, stop, server)) = self.page {
            let _ = stop.send(());
            if let Err(error) = server.await {
                tracing::error!(%error, "the page of figures did not end cleanly");
            }
        }
        if let Some(sending) = self.sending {
            sending.stop().await;
        }
    }
}

/// The name of this host, as the kernel has it.
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
