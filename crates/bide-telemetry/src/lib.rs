//! What operators see of the work: figures for Prometheus, a record of each attempt, traces over OTLP.
//!
//! Owns the names of figures and fields, and who may read the figures. Never decides anything about an invocation and never holds one
//! up. A crash loses what was only counted here, so such counters begin at zero again; what the store knows is right.

mod metrics;
mod page;
mod request_log;
mod traces;

pub use metrics::Metrics;
pub use page::{Token, page};
pub use request_log::{RequestLog, TARGET as REQUEST_LOG_TARGET};
pub use traces::{Receiver, ReceiverError, Sending, Traces};

use std::sync::Arc;

use bide_engine::{Observer, Seen};

/// Several observers; each hears everything.
#[derive(Clone, Default)]
pub struct Observers(pub Vec<Arc<dyn Observer>>);

impl Observer for Observers {
    fn observe(&self, seen: &Seen<'_>) {
        self.0.iter().for_each(|observer| observer.observe(seen));
    }
}
