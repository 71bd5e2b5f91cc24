//! The seam to whatever stands for a queue, a topic or an event bus.
//!
//! Owns the two traits and what is handed over. Never knows a protocol: an implementation maps resource names to
//! targets, and a target sends.

use std::sync::Arc;
use std::time::Duration;

use bide_types::Timestamp;
use bytes::Bytes;

use crate::arn::ResourceKind;
use crate::options::DELIVERY_ATTEMPTS_MAX;

pub use bide_store::BoxFuture;

/// A destination record on its way to a target.
#[derive(Clone, Debug)]
pub struct Message {
    /// The same at every attempt to deliver the record, so that a receiver can tell repetitions.
    pub id: String,
    /// The record as JSON (fc-behaviour 2.2).
    pub record: Bytes,
    /// The function that ran, as a resource name.
    pub function_arn: String,
    /// The destination, as a resource name in full.
    pub resource: String,
    pub kind: ResourceKind,
    /// Name of the queue, topic or bus.
    pub name: String,
    /// The error code of the invocation; empty if it succeeded.
    pub condition: String,
    /// When the call was accepted.
    pub accepted_at: Timestamp,
}

/// The target did not confirm the message; it is sent again later. The text is for operators and holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotDelivered(pub String);

/// Something that takes messages.
pub trait Target: Send + Sync + 'static {
    /// Resolves when the target has confirmed that it keeps the message. May be dropped at any time.
    fn send(&self, message: Arc<Message>) -> BoxFuture<'_, Result<(), NotDelivered>>;
}

/// A target as the settings name it.
#[derive(Clone)]
pub struct Mapping {
    /// Tells mappings apart: what fails in one holds up no other.
    pub name: Arc<str>,
    pub target: Arc<dyn Target>,
    /// Most messages under way at once.
    pub concurrency: usize,
    /// Longest wait for a confirmation.
    pub timeout: Duration,
    /// After how many failed attempts a record is given up, from 1 to [`Self::ATTEMPTS_MAX`].
    pub attempts: u32,
}

impl Mapping {
    /// About an hour, with the waits in between.
    pub const ATTEMPTS_MAX: u32 = DELIVERY_ATTEMPTS_MAX;
}

/// Which target stands for a resource.
pub trait Destinations: Send + Sync + 'static {
    /// The target of a resource name in full; `None` if nothing stands for it. The same as long as the process lives.
    fn find(&self, resource: &str) -> Option<Mapping>;
}

/// Nothing is mapped: only functions are destinations.
pub struct NoDestinations;

impl Destinations for NoDestinations {
    fn find(&self, _resource: &str) -> Option<Mapping> {
        None
    }
}
