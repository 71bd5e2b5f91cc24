//! The seam between the engine and whatever keeps its records.
//!
//! Owns the [`Store`] trait, batch-shaped and in domain terms; the [`planner`], which turns a batch into changes by
//! way of `bide_core::step`, the same for every store; an in-memory model; and the conformance suite that every store
//! must pass (feature `conformance`). Never knows a file, a key layout or SQL.
//!
//! What a crash leaves behind is the store's promise: a batch is there whole or not at all, and it is durable when the
//! future of [`Store::commit`] resolves.

pub mod attempt_log;
pub mod batch;
pub mod control;
pub mod memory;
pub mod planner;
pub mod query;
mod store;

#[cfg(any(test, feature = "conformance"))]
pub mod conformance;

pub use attempt_log::{AttemptEnd, AttemptLog, LogText};
pub use batch::{
    Batch, BatchReply, Claim, ClaimListener, ClaimReply, Claimed, DeadLetter, DeadLetterChange,
    DeliveryOutcome, PendingDelivery, Purge, SettleDelivery, Stop, StopReply, Submission, SubmitReply,
    Transition, TransitionReply,
};
pub use control::{ControlChange, ControlConflict, ControlKey, ControlObject, ControlWrite, Expected};
pub use query::{SortOrder, TaskLogs, TaskPage, TaskQuery, TaskView};
pub use store::{BoxFuture, DueDeliveries, Health, LeaseRef, OutboxPosition, Stats, Store, StoreError};
