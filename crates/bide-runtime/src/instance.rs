//! One instance: its start, the attempts it runs, its end.
//!
//! Owns the process from the first fork to the last signal, and the verdict on each attempt. An instance that timed
//! out, was cancelled, crashed or broke the protocol is dead when the attempt's outcome is given, and is never used
//! again; attempts that ran beside the one at fault are no function errors. Never counts instances: `pool` does. A crash of
//! the server ends a sandbox whole; without one it kills the process, but not what that had started, and the next start
//! removes the scratch directory.

mod health;
mod hooks;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bide_env::Clock;
use bide_sandbox::{Launcher, Process, ProcessHandle};
use bide_types::resource::RuntimeKind;
use bide_types::{InstanceId, RequestId};

use crate::code::{CodeCache, CodeDir, CodeError};
use crate::executor::{AttemptResult, Cancel, FunctionErrorCause, FunctionSpec, InvokeRequest, StartedHook};
use crate::failure;
use crate::layout::Layout;
use crate::logs::{Captured, Logs, StartLog};
use crate::runtime::{Broken, Channel, Live, Reply, Runtimes, Start, StartFailure, custom_port, with_causes};
use crate::scratch::Scratch;
use crate::standby::Standbys;
use hooks::Life;

/// Time between SIGTERM and SIGKILL.
const KILL_GRACE: Duration = Duration::from_millis(500);
/// How long an answer may still be on its way when the process is seen to be gone.
const LAST_ANSWER_GRACE: Duration = Duration::from_millis(100);
/// What the end line of a log says of a failure.
const ERROR_NOTE: &str = ", Error: Unhandled function error";
const BYTES_PER_MB: f64 = 1024.0 * 1024.0;
/// Says of a process that nobody saw end.
pub(crate) const LAUNCHER_GONE: &str = "the process that keeps the instances has ended, and they with it";

/// What all instances of this server share.
pub(crate) struct Surroundings {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) launcher: Arc<dyn Launcher>,
    pub(crate) standbys: Standbys,
    pub(crate) runtimes: Runtimes,
    pub(crate) code: CodeCache,
    pub(crate) scratch_root: PathBuf,
    pub(crate) search_path: String,
    pub(crate) shared_dirs: Vec<PathBuf>,
    pub(crate) start_timeout: Duration,
    /// Set when the server is about to end: hooks then have `hurried_hook_time`.
    pub(crate) hurry: Cancel,
    pub(crate) hurried_hook_time: Duration,
    pub(crate) attempt_log_bytes: usize,
}

/// A process that can take requests.
pub(crate) struct Instance {
    pub(crate) id: InstanceId,
    spec: Arc<FunctionSpec>,
    surroundings: Arc<Surroundings>,
    handle: ProcessHandle,
    channel: Box<dyn Channel>,
    logs: Arc<Logs>,
    /// Set before the process is killed on purpose, and when it must not serve again.
    doomed: AtomicBool,
    out_of_memory: AtomicBool,
    life: Life,
    // Dropped in this order: the process first, then what it used.
    _process: Process,
    _scratch: Option<Scratch>,
    _code: CodeDir,
    _layers: Option<CodeDir>,
}

/// The verdict on one attempt.
pub(crate) struct Attempt {
    pub(crate) result: AttemptResult,
    pub(crate) duration: Duration,
    pub(crate) memory_max_mb: f64,
    pub(crate) log: Captured,
}

/// A start that failed, with what it printed.
#[derive(Clone)]
pub(crate) struct FailedStart {
    pub(crate) failure: StartFailure,
    pub(crate) log: StartLog,
}

enum End {
    Answer(Result<Reply, Broken>),
    Timeout,
    Cancelled,
    /// Whoever waited for the response has left, and others are still served.
    Left,
}

impl Instance {
    /// Starts an instance and runs its initializer, if it has one.
    pub(crate) async fn start(
        surroundings: &Arc<Surroundings>,
        spec: &Arc<FunctionSpec>,
        id: &InstanceId,
    ) -> Result<Self, FailedStart> {
        let logs = Logs::new(spec, id, surroundings.attempt_log_bytes);
        let started = Self::try_start(surroundings, spec, id, &logs).await;
        started.map_err(|failure| FailedStart { failure, log: logs.failed_start() })
    }

    async fn try_start(
        surroundings: &Arc<Surroundings>,
        spec: &Arc<FunctionSpec>,
        id: &InstanceId,
        logs: &Arc<Logs>,
    ) -> Result<Self, StartFailure> {
        let system = |what: &str, error: &dyn std::error::Error| {
            StartFailure::System(format!("{what}: {}", with_causes(error)))
        };
        let (code, layers) = unpacked(surroundings, spec).await.map_err(|error| system("code", &error))?;
        let isolated = surroundings.launcher.isolates();
        let scratch = (!isolated).then(|| Scratch::create(surroundings.scratch_root.join(id.as_str())));
        let scratch = scratch.transpose().map_err(|error| system("scratch directory", &error))?;
        let layers_dir = layers.as_ref().map(|directory| directory.as_path());
        let layout = match &scratch {
            Some(scratch) => Layout::host(&code, layers_dir, scratch.path()),
            None => Layout::sandbox(&code, layers_dir, &surroundings.shared_dirs),
        };
        let start = Start {
            spec,
            instance: id,
            code_dir: &code,
            layout,
            logs,
            launcher: &*surroundings.launcher,
            standbys: &surroundings.standbys,
            clock: &surroundings.clock,
            search_path: &surroundings.search_path,
        };
        let Live { process, channel } = start_within_limit(surroundings, &start).await?;
        // Remembered by the handle, in case the process ends before it is asked again.
        process.handle().memory_peak_bytes();
        let instance = Self {
            id: id.clone(),
            spec: Arc::clone(spec),
            surroundings: Arc::clone(surroundings),
            handle: process.handle(),
            channel,
            logs: Arc::clone(logs),
            doomed: AtomicBool::new(false),
            out_of_memory: AtomicBool::new(false),
            life: Life::default(),
            _process: process,
            _scratch: scratch,
            _code: code,
            _layers: layers,
        };
        instance.until_well().await?;
        instance.initialize().await?;
        Ok(instance)
    }

    async fn initialize(&self) -> Result<(), StartFailure> {
        if self.spec.function.initializer.is_none() {
            return Ok(());
        }
        let request = initialization_id(&self.id);
        self.logs.begin_initializer(&request);
        let result = self.run_initializer(&request).await;
        self.logs.finish_initializer(&request, if result.is_ok() { "" } else { ERROR_NOTE });
        result
    }

    async fn run_initializer(&self, request: &RequestId) -> Result<(), StartFailure> {
        let clock = &self.surroundings.clock;
        let limit = self.spec.function.initialization_timeout();
        let reply = tokio::select! {
            reply = self.channel.initialize(request) => reply,
            () = clock.sleep(limit) => {
                self.stop().await;
                let seconds = limit.as_secs();
                return Err(StartFailure::Function(failure::unhandled(
                    FunctionErrorCause::StartFailed,
                    &format!("Function initializer timed out after {seconds} seconds"),
                )));
            }
        };
        match reply {
            Ok(Reply::Returned(_)) => Ok(()),
            Ok(Reply::Failed { error, .. }) => Err(StartFailure::reported(error)),
            Err(Broken::NotSent | Broken::Lost | Broken::CallerLeft) => {
                self.handle.kill();
                let (exit, function) = (self.handle.exited().await, &self.spec.function);
                let message = "Process exited unexpectedly during the initializer";
                Err(StartFailure::ended(&self.handle, exit, function, message))
            }
        }
    }

    /// Whether the instance may take another request.
    pub(crate) fn is_usable(&self) -> bool {
        !self.doomed.load(Ordering::Relaxed) && !self.handle.has_exited() && self.channel.is_open()
    }

    pub(crate) fn has_health_check(&self) -> bool {
        self.spec.function.health_check.is_some()
    }

    pub(crate) fn process(&self) -> ProcessHandle {
        self.handle.clone()
    }

    /// Runs one attempt to its verdict.
    pub(crate) async fn run(
        &self,
        request: &InvokeRequest,
        cancel: &Cancel,
        cold: bool,
        started: StartedHook,
    ) -> Attempt {
        let guard = KillUnlessAnswered(self);
        self.logs.begin(&request.request_id, cold);
        started(self.id.clone());
        let begun = self.surroundings.clock.monotonic();
        let end = self.run_to_end(request, cancel).await;
        let duration = self.surroundings.clock.monotonic().saturating_sub(begun);
        let memory_max_mb = self.memory_max_mb();
        let result = self.verdict(end, duration, memory_max_mb).await;
        std::mem::forget(guard);
        let log = self.logs.finish(&request.request_id, log_note(&result));
        Attempt { result, duration, memory_max_mb, log }
    }

    async fn run_to_end(&self, request: &InvokeRequest, cancel: &Cancel) -> End {
        let clock = &self.surroundings.clock;
        let _awake = tokio::select! {
            biased;
            awake = self.awake() => awake,
            () = cancel.cancelled() => return End::Cancelled,
        };
        let answer = self.channel.invoke(request);
        tokio::pin!(answer);
        tokio::select! {
            biased;
            answer = &mut answer => {
                let left = matches!(answer, Err(Broken::CallerLeft)) && self.can_be_left();
                return if left { End::Left } else { End::Answer(answer) };
            }
            () = clock.sleep(self.spec.function.timeout()) => return End::Timeout,
            () = cancel.cancelled() => {
                if request.responder.is_some() && self.can_be_left() {
                    return End::Left;
                }
                // An answer may come meanwhile; nobody wants it, but the instance is to be heard.
                tokio::select! {
                    () = self.tell_of_end() => {}
                    () = async { let _ = answer.await; std::future::pending().await } => {}
                }
                return End::Cancelled;
            }
            _ = self.handle.exited() => {}
        }
        tokio::select! {
            biased;
            answer = &mut answer => End::Answer(answer),
            () = clock.sleep(LAST_ANSWER_GRACE) => End::Answer(Err(Broken::Lost)),
        }
    }

    async fn verdict(&self, end: End, duration: Duration, memory_max_mb: f64) -> AttemptResult {
        if !matches!(end, End::Cancelled) && self.is_out_of_memory(memory_max_mb) {
            self.stop().await;
            return failure::out_of_memory(self.spec.function.memory_mb, memory_max_mb);
        }
        match end {
            End::Answer(Ok(Reply::Returned(value))) => AttemptResult::Returned(value),
            End::Answer(Ok(Reply::Failed { kind, error, replace })) => {
                if replace {
                    self.replace().await;
                }
                failure::reported(kind, FunctionErrorCause::Raised, error)
            }
            End::Answer(Err(Broken::NotSent)) => {
                self.stop().await;
                AttemptResult::SystemError {
                    message: "the instance was gone before it got the request".to_owned(),
                }
            }
            End::Answer(Err(Broken::Lost)) => {
                // Read first: was it ended on purpose, but not because of this attempt?
                let ended_for_another = self.doomed.load(Ordering::Relaxed);
                self.stop().await;
                if ended_for_another {
                    let message = "the instance was ended because of another request".to_owned();
                    return AttemptResult::SystemError { message };
                }
                let exit = self.handle.exited().await;
                if !exit.is_known() {
                    return AttemptResult::SystemError { message: LAUNCHER_GONE.to_owned() };
                }
                if exit.out_of_memory {
                    return failure::out_of_memory(self.spec.function.memory_mb, self.memory_max_mb());
                }
                failure::process_exited(duration, memory_max_mb)
            }
            End::Timeout => {
                self.stop().await;
                failure::timed_out(self.spec.function.timeout(), memory_max_mb)
            }
            // What nobody reads must not run on (FC "Why is a function instance restarted after the 499 error").
            End::Cancelled | End::Answer(Err(Broken::CallerLeft)) => {
                self.stop().await;
                AttemptResult::Stopped
            }
            // Here it does until the others have ended, and the instance with them.
            End::Left => {
                self.doom();
                AttemptResult::Stopped
            }
        }
    }

    /// Whether the present request can be given up while the others go on.
    fn can_be_left(&self) -> bool {
        self.has_company() && self.channel.lets_go()
    }

    /// Takes no more requests. With requests beside the present one the process ends after the last of them.
    async fn replace(&self) {
        if self.spec.function.instance_concurrency > 1 {
            self.doom();
        } else {
            self.stop().await;
        }
    }

    /// Ends the instance in order: its pre-stop hook, then as [`Instance::stop`].
    pub(crate) async fn end(&self) {
        self.tell_of_end().await;
        self.stop().await;
    }

    /// Ends the process: SIGTERM, a short grace, SIGKILL to the whole group. Resolves when it is gone.
    async fn stop(&self) {
        self.doom();
        self.handle.terminate();
        tokio::select! {
            biased;
            _ = self.handle.exited() => return,
            () = self.surroundings.clock.sleep(KILL_GRACE) => {}
        }
        self.handle.kill();
        self.handle.exited().await;
    }

    /// Kills the process if it has held more memory than the function may.
    pub(crate) fn enforce_memory(&self) {
        if self.is_out_of_memory(self.memory_max_mb()) {
            self.out_of_memory.store(true, Ordering::Relaxed);
            self.doom();
            self.handle.kill();
        }
    }

    fn is_out_of_memory(&self, memory_max_mb: f64) -> bool {
        memory_max_mb > f64::from(self.spec.function.memory_mb) || self.out_of_memory.load(Ordering::Relaxed)
    }

    pub(crate) fn memory_max_mb(&self) -> f64 {
        memory_max_mb(&self.handle)
    }
}

/// The most that a process was seen to hold.
#[expect(clippy::cast_precision_loss, reason = "2^53 bytes are far more than a machine has")]
pub(crate) fn memory_max_mb(process: &ProcessHandle) -> f64 {
    process.memory_peak_bytes() as f64 / BYTES_PER_MB
}

/// The directories of a function's code, and of its layers if it has any.
async fn unpacked(
    surroundings: &Surroundings,
    spec: &FunctionSpec,
) -> Result<(CodeDir, Option<CodeDir>), CodeError> {
    let function = &spec.function;
    let code = surroundings.code.directory(std::slice::from_ref(&function.code.digest)).await?;
    let layers: Vec<String> = function.layers.iter().map(|layer| layer.digest.clone()).collect();
    let layers = if layers.is_empty() { None } else { Some(surroundings.code.directory(&layers).await?) };
    Ok((code, layers))
}

async fn start_within_limit(surroundings: &Surroundings, start: &Start<'_>) -> Result<Live, StartFailure> {
    let function = &start.spec.function;
    let runtime = surroundings.runtimes.of(function.runtime.kind());
    tokio::select! {
        live = runtime.start(start) => live,
        () = surroundings.clock.sleep(surroundings.start_timeout) => {
            let what = match function.runtime.kind() {
                RuntimeKind::Custom if surroundings.launcher.isolates() => {
                    format!("The custom runtime did not listen on port {}", custom_port(function))
                }
                RuntimeKind::Custom => "The custom runtime did not listen on FC_SERVER_PORT".to_owned(),
                RuntimeKind::Python | RuntimeKind::Node => "The handler was not loaded".to_owned(),
            };
            let seconds = surroundings.start_timeout.as_secs();
            Err(StartFailure::not_started(&format!("{what} within {seconds} seconds")))
        }
    }
}

/// What the end line of an attempt's log says about its result.
pub(crate) fn log_note(result: &AttemptResult) -> &'static str {
    match result {
        AttemptResult::FunctionError { .. } => ERROR_NOTE,
        AttemptResult::SystemError { .. } | AttemptResult::Returned(_) | AttemptResult::Stopped => "",
    }
}

/// Kills the instance if the future that runs an attempt is dropped before its end.
struct KillUnlessAnswered<'a>(&'a Instance);

impl Drop for KillUnlessAnswered<'_> {
    fn drop(&mut self) {
        self.0.doom();
        self.0.handle.kill();
    }
}

/// The initializer runs under an id of its own: it serves the instance, not one request.
fn initialization_id(instance: &InstanceId) -> RequestId {
    RequestId::new(instance.as_str()).expect("an instance id is a valid request id")
}
