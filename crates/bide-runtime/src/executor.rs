//! The seam between the engine and whatever runs functions: one attempt in, one outcome out.
//!
//! Owns the vocabulary only. Never runs anything itself: [`crate::pool::Pools`] does, and
//! [`crate::testing::FakeExecutor`] pretends to. A crash leaves nothing behind: an attempt whose outcome was not
//! stored by the engine is simply run again (at least once).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bide_types::resource::Function;
use bide_types::{FunctionId, InstanceId, Qualifier, RequestId, TaskId};
use bytes::Bytes;
use tokio::sync::watch;

use crate::http_call::{HttpRequest, Responder};
use crate::standby::StandbyStats;

/// A boxed future, so that the traits here can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Called with a function whose capacity may have grown.
pub type CapacityHook = Arc<dyn Fn(FunctionId) + Send + Sync>;

/// Called right before the handler gets the request.
pub type StartedHook = Box<dyn FnOnce(InstanceId) + Send>;

/// Everything an instance needs to know about its function; immutable. A pool exists per function id and version.
#[derive(Clone, Debug)]
pub struct FunctionSpec {
    pub function: Arc<Function>,
    /// `LATEST` or a version, never an alias: those are resolved before.
    pub qualifier: Qualifier,
    /// As functions see it: the version; empty for `LATEST`.
    pub version_id: String,
    pub region: String,
    /// Whether the service lets its functions reach beyond the loopback interface.
    pub internet_access: bool,
    pub role_arn: String,
    pub scale: Scale,
}

/// How many instances a function and qualifier have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// Instances to keep ready (FC "ProvisionConfig").
    pub provisioned: u32,
    /// Most instances beside these (FC "OnDemandConfig"); `None` leaves it to the caps of the server.
    pub on_demand_max: Option<u32>,
}

impl Scale {
    /// Most instances of either kind.
    pub fn instances_max(&self) -> Option<usize> {
        let all = self.on_demand_max?.saturating_add(self.provisioned);
        Some(usize::try_from(all).unwrap_or(usize::MAX))
    }
}

/// How far the instances to keep ready are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProvisionStatus {
    /// Those that are ready.
    pub current: usize,
    /// Why some are missing, if that is known.
    pub error: Option<String>,
}

/// One instance of a function.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceInfo {
    pub id: InstanceId,
    pub function: FunctionId,
    /// `LATEST` or a version.
    pub qualifier: Qualifier,
    pub state: InstanceState,
    /// Peak memory in MB (2^20 bytes); 0 while it starts or if unknown.
    pub memory_max_mb: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    Starting,
    Idle,
    Busy,
    /// Finishes what it runs, then ends.
    Draining,
}

/// One attempt to run.
#[derive(Clone, Debug)]
pub struct InvokeRequest {
    pub request_id: RequestId,
    /// The event, byte for byte.
    pub payload: Bytes,
    /// Retries so far: 0 on the first attempt.
    pub retry_count: u32,
    /// Set in task mode only.
    pub task_id: Option<TaskId>,
    /// The alias that the call was addressed to; otherwise that was the version of the instance.
    pub alias: Option<Qualifier>,
    pub tracing: Tracing,
    /// Set when the call came over HTTP: the payload is then its body.
    pub http: Option<Arc<HttpRequest>>,
    /// Where the response of an HTTP call goes as it is made. Without one (an asynchronous call) the response's body is
    /// the return value, and a status of 500 or above is a function error.
    pub responder: Option<Responder>,
}

/// Trace context of the caller, passed on as it came (fc-behaviour 7.3).
#[derive(Clone, Debug, Default)]
pub struct Tracing {
    pub span_context: Option<String>,
    /// Base64 of a JSON map.
    pub span_baggages: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct AttemptOutcome {
    pub result: AttemptResult,
    pub instance: InstanceId,
    /// From handing the request to the handler until its answer; zero if the handler never got it.
    pub duration: Duration,
    /// Peak resident memory of the instance so far, in MB (2^20 bytes); 0 if unknown.
    pub memory_max_mb: f64,
    /// Whether the attempt waited for its instance to start.
    pub cold_start: bool,
    /// At most the last 4 KB that this attempt logged; empty when the instance serves several requests at once.
    pub log_tail: Bytes,
    /// What this attempt logged, for whoever keeps it longer: at most [`crate::PoolOptions::attempt_log_bytes`]. Empty when it
    /// wrote nothing.
    pub log: AttemptLog,
}

/// The end of what an attempt logged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AttemptLog {
    pub text: Bytes,
    /// Bytes before that end which are not in it.
    pub dropped_bytes: u64,
}

/// The class of an attempt's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The handler's return value; empty when the response went to a [`Responder`].
    Returned(Bytes),
    /// The function's fault; `body` is the error JSON of fc-behaviour 7.8.
    FunctionError { kind: FunctionErrorKind, cause: FunctionErrorCause, body: Bytes },
    /// The platform could not run it (spawn failed, disk full): not the function's fault.
    SystemError { message: String },
    /// Cancelled; the handler no longer runs.
    Stopped,
}

/// What `X-Fc-Error-Type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionErrorKind {
    /// Passed to the callback by a Node handler.
    Handled,
    Unhandled,
}

/// Why a function failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FunctionErrorCause {
    /// The handler raised, rejected or reported an error.
    Raised,
    /// Ran longer than its timeout and was killed.
    Timeout,
    /// The process ended, or broke the protocol, before it answered.
    ProcessExited,
    /// Used more memory than it may and was killed.
    OutOfMemory,
    /// The instance never became ready: bad handler name, import error, failing initializer, port not opened.
    StartFailed,
}

/// A hard cap on instances is reached (FC: 429 `ResourceExhausted`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Throttled {
    pub cap: Cap,
    /// Names the cap and its value.
    pub reason: String,
}

/// What was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cap {
    /// Of the function, set by its owner or by the server.
    Function,
    /// Of all functions of the account.
    Account,
    /// Too many calls wait already.
    Line,
    /// The end of the server: nothing is started any more.
    Closing,
}

impl Throttled {
    pub(crate) fn closing() -> Self {
        Self { cap: Cap::Closing, reason: "the server is shutting down".to_owned() }
    }
}

/// What keeps instances from each other and from the host, in words for the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Containment {
    /// Whether each instance has a sandbox of its own.
    pub sandboxed: bool,
    pub in_force: Vec<String>,
    pub missing: Vec<String>,
    /// Why something is missing, or weaker than it could be.
    pub notes: Vec<String>,
}

/// Instances at this moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutorStats {
    /// Instances that exist, those starting included.
    pub instances: usize,
    /// Instances still starting.
    pub starting: usize,
    /// Requests running or waiting for their instance to start.
    pub busy: usize,
    /// Synchronous calls waiting for a slot.
    pub waiting: usize,
    /// Instances replaced since the start because their health check failed.
    pub unwell: u64,
    pub standbys: StandbyStats,
}

/// A cancellation signal: cheap to clone, all clones see it, and it cannot be taken back.
#[derive(Clone, Debug)]
pub struct Cancel {
    cancelled: watch::Sender<bool>,
}

impl Cancel {
    pub fn new() -> Self {
        Self { cancelled: watch::Sender::new(false) }
    }

    pub fn cancel(&self) {
        self.cancelled.send_replace(true);
    }

    pub fn is_cancelled(&self) -> bool {
        *self.cancelled.borrow()
    }

    /// Resolves once [`Cancel::cancel`] was called on any clone.
    pub async fn cancelled(&self) {
        // A sender lives in `self`, so waiting cannot fail.
        let _ = self.cancelled.subscribe().wait_for(|cancelled| *cancelled).await;
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs attempts, within caps.
pub trait Executor: Send + Sync + 'static {
    /// Takes one slot without waiting; `None` when there is none. The capacity hook is called later for every function
    /// that was refused.
    fn try_reserve(&self, spec: &Arc<FunctionSpec>) -> Option<Box<dyn Slot>>;

    /// Takes one slot, waiting in line while instances are busy or starting.
    ///
    /// # Errors
    /// [`Throttled`] at a hard cap: instances per function, instances per account, or the length of the line.
    fn reserve(&self, spec: &Arc<FunctionSpec>) -> BoxFuture<'_, Result<Box<dyn Slot>, Throttled>>;

    /// Sets the hook to call, outside of all locks, whenever capacity of a function may have grown.
    fn on_capacity(&self, hook: CapacityHook);

    /// The function and qualifier are as `spec` says from now on. Instances of an older revision finish what they run and
    /// take nothing new; those that are to be kept ready are started in the background. Calls of one function must come in
    /// the order of its changes.
    fn assign(&self, spec: &Arc<FunctionSpec>);

    /// The function has these versions and no other: instances of others finish what they run and take nothing new.
    fn retire_but(&self, function: FunctionId, versions: &[Qualifier]);

    /// How far the instances are there that [`FunctionSpec::scale`] wants to be kept ready.
    fn provision_status(&self, function: FunctionId, qualifier: &Qualifier) -> ProvisionStatus;

    /// Every instance, of all functions, in no order.
    fn instances(&self) -> Vec<InstanceInfo>;

    /// Forgets what is unpacked of packages, unless it is in `used` or an instance runs on it. Each item is what is
    /// unpacked together: the code of a function, or all its layers in their order.
    fn retain_code(&self, used: Vec<Vec<String>>) -> BoxFuture<'_, ()>;

    /// The process is about to end: hooks of instances that are ended from now on have little time.
    fn hurry(&self);

    /// Stops every instance; resolves when all processes are gone. Afterwards nothing can be reserved.
    fn shutdown(&self) -> BoxFuture<'_, ()>;

    fn stats(&self) -> ExecutorStats;

    /// What contains the instances. The same for as long as the node runs.
    fn containment(&self) -> Containment;
}

/// The right to run one request on one instance. Dropping it unused gives it back.
pub trait Slot: Send {
    /// Runs one attempt to its end. The slot is free again as soon as the instance has answered. Dropping the future
    /// kills the instance.
    fn invoke(
        self: Box<Self>,
        request: InvokeRequest,
        cancel: Cancel,
        started: StartedHook,
    ) -> BoxFuture<'static, AttemptOutcome>;
}
