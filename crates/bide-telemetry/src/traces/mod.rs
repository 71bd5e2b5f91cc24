//! Traces: what the engine tells, as spans over OTLP (HTTP, protobuf).
//!
//! Owns what a span says, and the bounded queue between the work and the receiver. Telling never waits: what finds the
//! queue full is dropped and counted, and so is a batch that the receiver does not take. A crash loses the spans that
//! were not sent yet; the ids of those after it fit, since they follow from what is stored.

mod client;
mod span;

use std::collections::HashMap;
use std::time::Duration;

use bide_engine::{Observer, Seen};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use prometheus::IntCounter;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use client::OtlpClient;

/// Spans that may wait to be sent.
const SPANS_WAITING_MAX: usize = 8192;
/// Spans of one request to the receiver.
const SPANS_AT_ONCE: usize = 512;
/// How long the end of the server waits for the last spans.
const FLUSH_MAX: Duration = Duration::from_secs(3);

/// Where spans go.
#[derive(Clone)]
pub struct Receiver {
    /// `http://HOST:PORT` of the receiver, to which `/v1/traces` is added.
    pub endpoint: String,
    /// Sent with each request; they may hold secrets.
    pub headers: HashMap<String, String>,
}

/// The way to the receiver cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("spans cannot be sent to {endpoint}: {reason}")]
pub struct ReceiverError {
    endpoint: String,
    reason: String,
}

/// Hears of the work and hands in spans.
pub struct Traces {
    spans: mpsc::Sender<SpanData>,
    counts: Counts,
}

/// What became of spans.
#[derive(Clone)]
pub(crate) struct Counts {
    pub(crate) sent: IntCounter,
    pub(crate) dropped: IntCounter,
}

/// The task that sends.
pub struct Sending {
    task: JoinHandle<()>,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Traces {
    /// Starts sending; must be called within a tokio runtime. It ends when this is dropped.
    ///
    /// # Errors
    /// [`ReceiverError`] for an endpoint or a header that is none.
    pub(crate) fn start(
        receiver: Receiver,
        version: &'static str,
        counts: Counts,
    ) -> Result<(Self, Sending), ReceiverError> {
        let Receiver { endpoint, headers } = receiver;
        let failed = |reason: String| ReceiverError { endpoint: endpoint.clone(), reason };
        client::check(&endpoint).map_err(|reason| failed(reason.to_owned()))?;
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(OtlpClient::new())
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_headers(headers)
            .build()
            .map_err(|error| failed(error.to_string()))?;
        let resource = [KeyValue::new("service.name", "bide"), KeyValue::new("service.version", version)];
        exporter.set_resource(&Resource::builder_empty().with_attributes(resource).build());
        let (spans, waiting) = mpsc::channel(SPANS_WAITING_MAX);
        let task = tokio::spawn(send(exporter, waiting, counts.clone()));
        Ok((Self { spans, counts }, Sending { task }))
    }

    fn hand_in(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.counts.dropped.inc();
        }
    }
}

impl Observer for Traces {
    fn observe(&self, seen: &Seen<'_>) {
        if let Some(span) = span::of(seen) {
            self.hand_in(span);
        }
    }
}

/// Sends until nobody hands in spans any more and the last are sent.
async fn send(exporter: SpanExporter, mut waiting: mpsc::Receiver<SpanData>, counts: Counts) {
    let mut fails = false;
    loop {
        let mut batch = Vec::new();
        if waiting.recv_many(&mut batch, SPANS_AT_ONCE).await == 0 {
            return;
        }
        let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        match exporter.export(batch).await {
            Ok(()) => {
                counts.sent.inc_by(count);
                if std::mem::replace(&mut fails, false) {
                    tracing::info!("the receiver takes spans again");
                }
            }
            Err(error) => {
                counts.dropped.inc_by(count);
                if !std::mem::replace(&mut fails, true) {
                    tracing::warn!(%error, "the receiver takes no spans; they are dropped");
                }
            }
        }
    }
}

impl Sending {
    /// Waits for the last spans, not for long; call when every [`Traces`] is gone.
    pub async fn stop(mut self) {
        if tokio::time::timeout(FLUSH_MAX, &mut self.task).await.is_err() {
            self.task.abort();
            tracing::warn!("the last spans were not sent");
        }
    }
}
