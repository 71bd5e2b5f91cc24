//! The shell around the pure core: it gathers, commits, runs and delivers.
//!
//! Owns the order of things: a record is durable before its caller is answered, an attempt runs under an epoch that is
//! never granted again, and every background task re-reads the store, so that a restart takes the same path as a quiet
//! day. Never decides what a state means (bide-core does), knows a file (the store does) or a process (the executor
//! does).
//!
//! After a crash the store holds every accepted invocation; [`Engine::start`] lapses the leases of the dead process
//! and goes on.

mod addresses;
pub mod arn;
mod background;
mod batcher;
mod catalog;
mod dead_letters;
mod deliver;
mod destinations;
mod dispatch;
mod error;
mod events;
mod figures;
mod http_payload;
mod invoke;
mod invoke_http;
mod layers;
mod maintenance;
mod observer;
mod options;
mod packages;
mod record;
mod resources;
mod running;
mod scaling;
mod signals;
mod start;
mod tasks;
mod timers;
mod trace;
mod versions;

pub use addresses::HttpTarget;
pub use bide_core::{
    Bucket, Delivery, DestinationStatus, Event, FunctionError, Invocation, Ledger, MissedTicks, Mode,
    Outcome, State, Status,
};
pub use bide_runtime::{
    AttemptOutcome, AttemptResult, Cancel, Cap, Executor, FunctionErrorCause, FunctionErrorKind,
    FunctionSpec, HttpRequest, InstanceInfo, InstanceState, ProvisionStatus, ResponseHead, Tracing,
};
pub use bide_store::attempt_log::window as attempt_logs_window;
pub use bide_store::{
    AttemptEnd, AttemptLog, DeadLetter, OutboxPosition, SortOrder, Store, TaskLogs, TaskPage, TaskQuery,
    TaskView,
};
pub use catalog::{
    Listing, NewLayerVersion, PublishedLayer, PublishedVersion, Target, VersionListing, Versioned, subdomain,
};
pub use dead_letters::{DeadLetterPage, LetterView};
pub use destinations::{
    BoxFuture, Destinations, Mapping, Message, NoDestinations, NotDelivered, Target as DestinationTarget,
};
pub use error::Error;
pub use events::{
    CloudEvent, EventData, InvalidEvent, ObjectEvent, Once, Published, SourceEvent, occurrence_id,
};
pub use figures::{Figures, FunctionFigures, InstanceFigures};
pub use invoke::{Accepted, AsyncCall, SyncCall};
pub use invoke_http::{BrokenOff, HttpAnswer, HttpCall, HttpResponse};
pub use observer::{AttemptFacts, DeliveryFacts, DeliveryResult, InvocationType, NoObserver, Observer, Seen};
pub use options::Options;
pub use scaling::Provision;
pub use start::{Dependencies, Engine, StartError};
pub use tasks::NodeStatus;
pub use timers::TimerStatus;
pub use trace::{Sampling, SpanIds};
