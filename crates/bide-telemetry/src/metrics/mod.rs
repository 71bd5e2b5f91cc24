//! Figures for Prometheus (fc-behaviour 9.1).
//!
//! Owns what is counted when, from two sources: what the engine tells ([`Families`]), and what it has anyway and is
//! asked for at each look ([`snapshot`]). Series are bounded: beyond [`FUNCTIONS_NAMED_MAX`] functions the rest share the
//! name [`OTHER`], and the series of a function that was deleted go with the next look.

mod families;
mod labels;
mod snapshot;

use bide_engine::{
    AttemptFacts, AttemptResult, Cap, DeliveryFacts, DeliveryResult, Engine, FunctionErrorCause,
    FunctionErrorKind, InvocationType, Observer, Seen,
};
use prometheus::TextEncoder;
use tokio::sync::Mutex;

use families::Families;
use labels::Table;

use crate::traces::{Receiver, ReceiverError, Sending, Traces};
#[cfg(test)]
use labels::{FUNCTIONS_NAMED_MAX, OTHER};

/// Counts what it hears, and writes all figures down when asked.
pub struct Metrics {
    families: Families,
    functions: Table,
    /// One look at a time: each reads the ledger of every function.
    looking: Mutex<()>,
}

/// The figures cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    #[error("the store cannot be read")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the figures cannot be written")]
    Format(#[from] prometheus::Error),
}

impl Metrics {
    /// Starts to send spans, and counts what becomes of them. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// [`ReceiverError`] for an endpoint or a header that is none.
    pub fn traces(
        &self,
        receiver: Receiver,
        version: &'static str,
    ) -> Result<(Traces, Sending), ReceiverError> {
        Traces::start(receiver, version, self.families.spans.clone())
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { families: Families::new(), functions: Table::default(), looking: Mutex::default() }
    }
}

impl Metrics {
    /// All figures in the text format of Prometheus.
    ///
    /// # Errors
    /// [`MetricsError::Store`] when the store cannot be read.
    pub async fn text(&self, engine: &Engine, version: &str) -> Result<String, MetricsError> {
        let _alone = self.looking.lock().await;
        let figures = engine.figures().await.map_err(|error| MetricsError::Store(Box::new(error)))?;
        let live = figures.functions.iter().map(|function| function.function.as_ref());
        self.functions.keep(&self.families, live);
        let mut gathered = self.families.registry.gather();
        gathered.extend(snapshot::gather(&figures, version, |function| {
            self.functions.labels(&self.families, function)
        })?);
        Ok(TextEncoder::new().encode_to_string(&gathered)?)
    }

    fn attempt_ended(&self, end: &AttemptFacts<'_>) {
        let series = self.functions.series(&self.families, &end.spec.function);
        let outcome = end.outcome;
        match end.invocation_type() {
            InvocationType::Sync => series.invocations_sync.inc(),
            InvocationType::Async => series.invocations_async.inc(),
        }
        if outcome.cold_start {
            series.cold_starts.inc();
        }
        series.duration.observe(outcome.duration.as_secs_f64());
        series.latency.observe(end.took.as_secs_f64());
        match &outcome.result {
            AttemptResult::FunctionError { kind, cause, .. } => {
                let labels = &series.labels;
                let values = [&labels[0], &labels[1], &labels[2], error_type(*kind, *cause)];
                self.families.function_errors.with_label_values(&values).inc();
            }
            // The refusal of a synchronous call is counted with its answer.
            AttemptResult::SystemError { .. } if end.invocation.is_some() => series.server_errors.inc(),
            AttemptResult::SystemError { .. } | AttemptResult::Returned(_) | AttemptResult::Stopped => {}
        }
    }

    fn delivery_ended(&self, end: &DeliveryFacts<'_>) {
        let Some(function) = end.function else { return };
        let series = self.functions.series(&self.families, function);
        match end.result {
            DeliveryResult::Delivered => series.destination_succeeded.inc(),
            DeliveryResult::Failed => series.destination_errors.inc(),
            DeliveryResult::GaveUp => {
                series.destination_errors.inc();
                series.destination_given_up.inc();
            }
        }
    }
}

impl Observer for Metrics {
    fn observe(&self, seen: &Seen<'_>) {
        match seen {
            Seen::AttemptBegan { spec, waited: Some(waited), .. } => {
                let series = self.functions.series(&self.families, &spec.function);
                series.message_latency.observe(waited.as_secs_f64());
            }
            Seen::AttemptBegan { waited: None, .. } => {}
            Seen::AttemptEnded(end) => self.attempt_ended(end),
            Seen::Throttled { function, cap } => {
                let series = self.functions.series(&self.families, function);
                match cap {
                    Cap::Function | Cap::Line => series.concurrency_throttles.inc(),
                    Cap::Account => series.resource_throttles.inc(),
                    Cap::Closing => {}
                }
            }
            Seen::Answered { function, status, refused } => {
                let series = self.functions.series(&self.families, function);
                match status {
                    200..300 => series.http_2xx.inc(),
                    300..400 => series.http_3xx.inc(),
                    400..500 => series.http_4xx.inc(),
                    _ => series.http_5xx.inc(),
                }
                match status {
                    400..500 if *refused => series.client_errors.inc(),
                    500.. if *refused => series.server_errors.inc(),
                    _ => {}
                }
            }
            Seen::Delivery(end) => self.delivery_ended(end),
            Seen::Committed { operations, took, stored } => {
                if *stored {
                    self.families.commit_duration.observe(took.as_secs_f64());
                    #[allow(clippy::cast_precision_loss)] // a batch is far smaller than 2^52
                    self.families.commit_operations.observe(*operations as f64);
                } else {
                    self.families.commit_errors.inc();
                }
            }
        }
    }
}

/// The published names (fc-behaviour 9.2), and that of `X-Fc-Error-Type` for an error that a handler reported.
pub(crate) fn error_type(kind: FunctionErrorKind, cause: FunctionErrorCause) -> &'static str {
    match (cause, kind) {
        (FunctionErrorCause::Timeout, _) => "FunctionTimeoutError",
        (FunctionErrorCause::OutOfMemory, _) => "FunctionOOMError",
        (_, FunctionErrorKind::Handled) => "HandledInvocationError",
        (_, FunctionErrorKind::Unhandled) => "FunctionUnhandledError",
    }
}

/// Every value of [`error_type`].
const ERROR_TYPES: [&str; 4] =
    ["FunctionTimeoutError", "FunctionOOMError", "HandledInvocationError", "FunctionUnhandledError"];

#[cfg(test)]
mod tests;
