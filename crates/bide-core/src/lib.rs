//! The life of an asynchronous invocation as a pure, total function.
//!
//! Owns every rule about states: who may become what, when a retry is due, when work expires, what a stop does and
//! which destination hears of the end. Never does I/O, reads a clock, draws a number or waits: `now` comes with each
//! command, and a crash between two commands leaves the last stored [`Invocation`] as it was.
//!
//! ```mermaid
//! stateDiagram-v2
//!     [*] --> Enqueued : enqueue
//!     Enqueued --> Dequeued : Dequeue
//!     Enqueued --> Expired : Dequeue, Expire
//!     Dequeued --> Running : Start
//!     Dequeued --> Backoff : Fail throttled, Fail system, Lapse
//!     Dequeued --> Retrying : Fail function
//!     Dequeued --> Failed : Fail function, Fail throttled, Fail system, Lapse
//!     Running --> Succeeded : Succeed
//!     Running --> Retrying : Fail function
//!     Running --> Backoff : Fail throttled, Fail system, Lapse
//!     Running --> Failed : Fail function, Fail throttled, Fail system, Lapse
//!     Backoff --> Dequeued : Dequeue
//!     Retrying --> Dequeued : Dequeue
//!     Enqueued --> Invalid : Invalidate
//!     Backoff --> Invalid : Invalidate
//!     Retrying --> Invalid : Invalidate
//!     Enqueued --> Stopped : Stop
//!     Backoff --> Stopped : Stop
//!     Retrying --> Stopped : Stop
//!     Dequeued --> Stopping : Stop
//!     Running --> Stopping : Stop
//!     Stopping --> Stopped : FinishStop, Lapse, Succeed, Fail function, Fail throttled, Fail system
//! ```
//!
//! Backoff is shown to callers as Dequeued. Where one command leads to two states, the age, the retries that are left or
//! the length of the refusals decide. A test holds the diagram to the table of all (state, command) pairs, which is
//! printed to a snapshot in `command/snapshots`.

pub mod backoff;
pub mod command;
pub mod invocation;
pub mod ledger;
pub mod policy;
pub mod schedule;
pub mod settlement;
pub mod timer;

pub use command::{Command, Enqueue, Failure, FunctionError, Rejected, Run, Transition, enqueue, step};
pub use invocation::{
    CallKind, DestinationStatus, Epoch, Event, Invocation, Lease, LeaseHolder, Mode, Refusals, State, Status,
};
pub use ledger::{Bucket, Ledger};
pub use policy::{Policy, PolicyTable};
pub use schedule::{Schedule, ScheduleError};
pub use settlement::{Delivery, Outcome, Settlement, Slot};
pub use timer::{MissedTicks, Owed, Timer};

#[cfg(test)]
mod fixtures;
