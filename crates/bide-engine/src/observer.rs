//! The port through which others hear of the work: for figures, records of attempts and traces.
//!
//! Owns what is told. An observer hears, and has no say: it never blocks, never fails, and nothing depends on it, so a
//! crash or a drop in it costs a figure and no work. What the store counts anyway is not told but read
//! (`Engine::figures`), so that it is right after a restart.

use std::time::Duration;

use bide_core::{Delivery, Invocation};
use bide_runtime::{AttemptOutcome, Cap, FunctionSpec};
use bide_types::resource::Function;
use bide_types::{Qualifier, RequestId, Timestamp};

use crate::start::Shared;
use crate::trace::SpanIds;

/// Hears of the work. Called from the paths that do it, so it must return at once.
pub trait Observer: Send + Sync + 'static {
    fn observe(&self, seen: &Seen<'_>);
}

/// Something that has happened.
#[derive(Debug)]
pub enum Seen<'a> {
    /// An asynchronous invocation was taken from its queue, and its attempt begins.
    AttemptBegan {
        spec: &'a FunctionSpec,
        invocation: &'a Invocation,
        /// Time in the queue beyond the delay asked for; `None` for another attempt than the first.
        waited: Option<Duration>,
        began_at: Timestamp,
        /// From acceptance to now.
        span: Option<SpanIds>,
    },
    AttemptEnded(&'a AttemptFacts<'a>),
    /// A synchronous call was refused at a cap.
    Throttled {
        function: &'a Function,
        cap: Cap,
    },
    /// A call that named this function was answered with this status; `refused` when the function had no part in it.
    Answered {
        function: &'a Function,
        status: u16,
        refused: bool,
    },
    /// A destination record was sent, or failed to be; the store knows.
    Delivery(&'a DeliveryFacts<'a>),
    /// A batch was stored, or failed to be.
    Committed {
        operations: usize,
        took: Duration,
        stored: bool,
    },
}

/// How a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvocationType {
    Sync,
    Async,
}

/// One attempt from its slot to its end.
#[derive(Debug)]
pub struct AttemptFacts<'a> {
    /// What ran.
    pub spec: &'a FunctionSpec,
    /// What was addressed.
    pub qualifier: &'a Qualifier,
    pub request_id: &'a RequestId,
    /// The invocation as it was when the attempt began; `None` for a synchronous call.
    pub invocation: Option<&'a Invocation>,
    pub over_http: bool,
    /// When a slot was asked for, or the invocation was taken from its queue.
    pub began_at: Timestamp,
    /// From then to the end of the attempt.
    pub took: Duration,
    pub outcome: &'a AttemptOutcome,
    pub span: Option<SpanIds>,
}

/// One attempt to deliver a destination record.
#[derive(Debug)]
pub struct DeliveryFacts<'a> {
    /// What the record is about; `None` if it is forgotten.
    pub function: Option<&'a Function>,
    pub delivery: &'a Delivery,
    /// Attempts before this one.
    pub attempts: u32,
    pub result: DeliveryResult,
    pub began_at: Timestamp,
    pub took: Duration,
    pub span: Option<SpanIds>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryResult {
    Delivered,
    /// It is tried again.
    Failed,
    /// It is a dead letter now.
    GaveUp,
}

impl AttemptFacts<'_> {
    pub fn invocation_type(&self) -> InvocationType {
        if self.invocation.is_some() { InvocationType::Async } else { InvocationType::Sync }
    }
}

impl InvocationType {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "Sync",
            Self::Async => "Async",
        }
    }
}

/// When something began, by both clocks.
#[derive(Clone, Copy)]
pub(crate) struct Began {
    pub(crate) at: Timestamp,
    monotonic: Duration,
}

impl Began {
    pub(crate) fn now(shared: &Shared) -> Self {
        Self { at: shared.clock.now(), monotonic: shared.clock.monotonic() }
    }

    /// Time since then.
    pub(crate) fn took(&self, shared: &Shared) -> Duration {
        shared.clock.monotonic().saturating_sub(self.monotonic)
    }
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _: &Seen<'_>) {}
}
