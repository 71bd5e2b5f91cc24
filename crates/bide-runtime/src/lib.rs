//! Runs functions: pools of instances, the runtimes that speak to them, and their agents.
//!
//! Owns everything between "run this request of this function" and "this is how the attempt ended": code packages
//! ([`package`]), pools, runtimes, logs. Never decides about retries or stores anything that must survive: the engine
//! does. After a crash of the server every sandbox is gone (the kernel ends it); without sandboxes the process of each
//! instance is, and processes that user code had started itself may run on. Only caches are left in `cache_dir`, which are
//! checked before they are used again.

mod code;
pub mod executor;
mod http_call;
pub mod package;
pub mod testing;

pub use executor::{
    AttemptLog, AttemptOutcome, AttemptResult, BoxFuture, Cancel, Cap, CapacityHook, Containment, Executor,
    ExecutorStats, FunctionErrorCause, FunctionErrorKind, FunctionSpec, InstanceInfo, InstanceState,
    InvokeRequest, ProvisionStatus, Scale, Slot, StartedHook, Throttled, Tracing,
};

pub use http_call::{CallerLeft, HttpFormat, HttpRequest, Responder, ResponseHead, ResponseStream};

mod environment;
mod failure;
mod instance;
mod layout;
mod logs;
pub mod pool;
mod runtime;
mod scratch;
mod standby;

pub use code::CodeSource;
pub use pool::{PoolOptions, Pools};
pub use standby::StandbyStats;
