//! The life of an asynchronous invocation as a pure, total function.
//!
//! Owns every rule about states: who may become what, when a retry is due, when work expires, what a stop does and
//! which destination hears of the end. Never does I/O, reads a clock, draws a number or waits: `now` comes with each
//! command, and a crash between two commands leaves the last stored [`Invocation`] as it was.
//!
//! ```text
//!                    Dequeue          Start              Succeed
//!   Enqueued ───────────────▶ Dequeued ─────▶ Running ───────────▶ Succeeded
//!      │                       │  ▲  │           │ │
//!      │ Dequeue too old       │  │  │ Fail:     │ │ Fail: function error
//!      ├──────────▶ Expired    │  │  │ throttled,│ ├──────────▶ Retrying ──Dequeue──▶ Dequeued
//!      │ Invalidate            │  │  │ system    │ │ none left
//!      ├──────────▶ Invalid    │  │  ▼           │ └──────────▶ Failed
//!      │ Stop                  │  Backoff ◀──────┤ (shown as Dequeued; also after Lapse)
//!      └──────────▶ Stopped    │    │ window used up ─────────▶ Failed
//!                              │    │            │ Stop
//!           Stop while waiting │    ▼            ▼
//!           (Backoff, Retrying)└▶ Stopping ── result, FinishStop or Lapse ──▶ Stopped
//! ```
//!
//! The table of all (state, command) pairs is printed to a snapshot in `step/snapshots`.

pub mod backoff;
pub mod command;
pub mod invocation;
pub mod ledger;
pub mod policy;
pub mod settlement;

pub use command::{Command, Enqueue, Failure, FunctionError, Rejected, Run, Transition, enqueue, step};
pub use invocation::{
    DestinationStatus, Epoch, Event, Invocation, Lease, LeaseHolder, Mode, Refusals, State, Status,
};
pub use ledger::{Bucket, Ledger};
pub use policy::{Policy, PolicyTable};
pub use settlement::{Delivery, Outcome, Settlement, Slot};
