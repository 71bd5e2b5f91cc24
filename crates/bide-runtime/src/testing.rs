//! An executor without processes, for tests of what stands above: a script decides how each attempt ends.
//!
//! Owns slots and the list of held attempts. Never starts a process or reads a clock.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bide_types::{FunctionId, InstanceId, Qualifier, RequestId};
use bytes::Bytes;
use tokio::sync::{Notify, oneshot};

use crate::executor::{
    AttemptLog, AttemptOutcome, AttemptResult, BoxFuture, Cancel, Cap, CapacityHook, Containment, Executor,
    ExecutorStats, FunctionErrorCause, FunctionErrorKind, FunctionSpec, InstanceInfo, InstanceState,
    InvokeRequest, ProvisionStatus, Slot, StartedHook, Throttled,
};
use crate::http_call::{CallerLeft, ResponseHead};

/// What the script wants an attempt to do.
#[derive(Clone, Debug)]
pub enum FakeRun {
    /// End at once.
    Finish(AttemptResult),
    /// Run until [`FakeExecutor::release`] or until cancelled.
    Hold,
    /// Answer an HTTP call, then go on as `then` says; see [`FakeResponse`].
    Respond(FakeResponse),
    /// Log this, then go on.
    Print(AttemptLog, Box<FakeRun>),
}

/// The response to an HTTP call. Without a [`crate::Responder`] (an asynchronous call) the pieces together are the return
/// value, or the body of a function error if the status is 500 or above.
#[derive(Clone, Debug)]
pub struct FakeResponse {
    pub head: ResponseHead,
    pub pieces: Vec<Bytes>,
    /// What comes after the pieces.
    pub then: Box<FakeRun>,
}

/// Decides how an attempt goes.
pub type Script = dyn Fn(&FunctionSpec, &InvokeRequest) -> FakeRun + Send + Sync;

/// The scripted executor. Clones share everything.
#[derive(Clone)]
pub struct FakeExecutor {
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    slots_per_function: usize,
    closed: bool,
    busy: HashMap<Version, usize>,
    waiting: usize,
    held: HashMap<RequestId, oneshot::Sender<AttemptResult>>,
    started: Vec<(RequestId, u32)>,
    hook: Option<CapacityHook>,
    assigned: HashMap<Version, Arc<FunctionSpec>>,
}

/// A function, and `LATEST` or one of its versions.
type Version = (FunctionId, Qualifier);

fn version(spec: &FunctionSpec) -> Version {
    (spec.function.id, spec.qualifier.clone())
}

impl FakeExecutor {
    /// Every version of a function has `slots_per_function` slots.
    pub fn new(
        slots_per_function: usize,
        script: impl Fn(&FunctionSpec, &InvokeRequest) -> FakeRun + Send + Sync + 'static,
    ) -> Self {
        let state = Mutex::new(State { slots_per_function, ..State::default() });
        Self { shared: Arc::new(Shared { script: Box::new(script), state, changed: Notify::new() }) }
    }

    /// Ends a held attempt; `false` if there is none with this request id.
    pub fn release(&self, request: &RequestId, result: AttemptResult) -> bool {
        let held = self.shared.lock().held.remove(request);
        held.is_some_and(|held| held.send(result).is_ok())
    }

    /// Requests held now, in no order.
    pub fn held(&self) -> Vec<RequestId> {
        self.shared.lock().held.keys().cloned().collect()
    }

    /// What was last assigned for a function and qualifier.
    pub fn assigned(&self, function: FunctionId, qualifier: &Qualifier) -> Option<Arc<FunctionSpec>> {
        self.shared.lock().assigned.get(&(function, qualifier.clone())).cloned()
    }

    /// Every attempt handed to a handler so far: request id and retry count, in order.
    pub fn started(&self) -> Vec<(RequestId, u32)> {
        self.shared.lock().started.clone()
    }

    /// Changes the slots per function; fires the hook for every function seen.
    pub fn set_slots(&self, slots_per_function: usize) {
        let (hook, functions) = {
            let mut state = self.shared.lock();
            state.slots_per_function = slots_per_function;
            (state.hook.clone(), state.busy.keys().map(|(function, _)| *function).collect::<Vec<_>>())
        };
        self.shared.changed.notify_waiters();
        if let Some(hook) = hook {
            functions.into_iter().for_each(|function| hook(function));
        }
    }

    /// Resolves when `condition` holds of this executor; checked after every start, end and release.
    pub async fn until(&self, condition: impl Fn(&Self) -> bool) {
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition(self) {
                return;
            }
            changed.await;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the lock")
    }

    fn take(self: &Arc<Self>, spec: &Arc<FunctionSpec>) -> Option<FakeSlot> {
        let mut state = self.lock();
        let limit = if state.closed { 0 } else { state.slots_per_function };
        let busy = state.busy.entry(version(spec)).or_insert(0);
        if *busy >= limit {
            return None;
        }
        *busy += 1;
        Some(FakeSlot { shared: Arc::clone(self), spec: Arc::clone(spec) })
    }
}

impl Executor for FakeExecutor {
    fn try_reserve(&self, spec: &Arc<FunctionSpec>) -> Option<Box<dyn Slot>> {
        self.shared.take(spec).map(|slot| Box::new(slot) as Box<dyn Slot>)
    }

    fn reserve(&self, spec: &Arc<FunctionSpec>) -> BoxFuture<'_, Result<Box<dyn Slot>, Throttled>> {
        let spec = Arc::clone(spec);
        Box::pin(async move {
            if self.shared.lock().slots_per_function == 0 {
                return Err(Throttled {
                    cap: Cap::Function,
                    reason: "the fake executor has no slots".to_owned(),
                });
            }
            self.shared.lock().waiting += 1;
            let slot = loop {
                let changed = self.shared.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(slot) = self.shared.take(&spec) {
                    break Ok(Box::new(slot) as Box<dyn Slot>);
                }
                if self.shared.lock().closed {
                    break Err(Throttled::closing());
                }
                changed.await;
            };
            self.shared.lock().waiting -= 1;
            slot
        })
    }

    fn on_capacity(&self, hook: CapacityHook) {
        self.shared.lock().hook = Some(hook);
    }

    fn assign(&self, spec: &Arc<FunctionSpec>) {
        let mut state = self.shared.lock();
        state.assigned.insert(version(spec), Arc::clone(spec));
    }

    fn retire_but(&self, function: FunctionId, versions: &[Qualifier]) {
        self.shared.lock().assigned.retain(|(id, version), _| *id != function || versions.contains(version));
    }

    /// All that are wanted are there.
    fn provision_status(&self, function: FunctionId, qualifier: &Qualifier) -> ProvisionStatus {
        let state = self.shared.lock();
        let assigned = state.assigned.get(&(function, qualifier.clone()));
        let current = assigned.map_or(0, |spec| spec.scale.provisioned as usize);
        ProvisionStatus { current, error: None }
    }

    /// One for each version of a function that runs something.
    fn instances(&self) -> Vec<InstanceInfo> {
        let state = self.shared.lock();
        let busy = state.busy.iter().filter(|(_, busy)| **busy > 0);
        busy.map(|((function, version), _)| InstanceInfo {
            id: fake_instance(),
            function: *function,
            qualifier: version.clone(),
            state: InstanceState::Busy,
            memory_max_mb: 1.0,
        })
        .collect()
    }

    fn retain_code(&self, _used: Vec<Vec<String>>) -> BoxFuture<'_, ()> {
        Box::pin(async {})
    }

    fn hurry(&self) {}

    fn shutdown(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            {
                let mut state = self.shared.lock();
                state.closed = true;
                state.held.clear();
            }
            self.shared.changed.notify_waiters();
        })
    }

    fn containment(&self) -> Containment {
        Containment::default()
    }

    fn stats(&self) -> ExecutorStats {
        let state = self.shared.lock();
        let busy = state.busy.values().sum();
        ExecutorStats { instances: busy, busy, waiting: state.waiting, ..ExecutorStats::default() }
    }
}

impl FakeRun {
    fn holds(&self) -> bool {
        match self {
            Self::Finish(_) => false,
            Self::Hold => true,
            Self::Respond(response) => response.then.holds(),
            Self::Print(_, then) => then.holds(),
        }
    }

    /// What is logged first of all.
    fn log(&self) -> AttemptLog {
        match self {
            Self::Print(log, _) => log.clone(),
            Self::Finish(_) | Self::Hold | Self::Respond(_) => AttemptLog::default(),
        }
    }

    async fn go(
        self,
        request: &InvokeRequest,
        released: oneshot::Receiver<AttemptResult>,
        cancel: &Cancel,
    ) -> AttemptResult {
        let mut run = self;
        let mut returned = Bytes::new();
        loop {
            match run {
                Self::Finish(AttemptResult::Returned(value)) if value.is_empty() => {
                    return AttemptResult::Returned(returned);
                }
                Self::Finish(result) => return result,
                Self::Hold => {
                    return tokio::select! {
                        released = released => released.unwrap_or(AttemptResult::Stopped),
                        () = cancel.cancelled() => AttemptResult::Stopped,
                    };
                }
                Self::Print(_, then) => run = *then,
                Self::Respond(response) => {
                    let sent = tokio::select! {
                        sent = respond(request, response.head, response.pieces) => sent,
                        () = cancel.cancelled() => Err(AttemptResult::Stopped),
                    };
                    match sent {
                        Ok(value) => returned = value,
                        Err(result) => return result,
                    }
                    run = *response.then;
                }
            }
        }
    }
}

/// Sends a response to the caller, or yields its body if nobody waits for it.
async fn respond(
    request: &InvokeRequest,
    head: ResponseHead,
    pieces: Vec<Bytes>,
) -> Result<Bytes, AttemptResult> {
    let Some(responder) = &request.responder else {
        let body = Bytes::from(pieces.concat());
        return if head.status.is_server_error() {
            let (kind, cause) = (FunctionErrorKind::Unhandled, FunctionErrorCause::Raised);
            Err(AttemptResult::FunctionError { kind, cause, body })
        } else {
            Ok(body)
        };
    };
    responder.begin(head).map_err(|CallerLeft| AttemptResult::Stopped)?;
    for piece in pieces {
        responder.piece(piece).await.map_err(|CallerLeft| AttemptResult::Stopped)?;
    }
    Ok(Bytes::new())
}

fn fake_instance() -> InstanceId {
    InstanceId::new("c-fake").expect("a valid id")
}

struct FakeSlot {
    shared: Arc<Shared>,
    spec: Arc<FunctionSpec>,
}

impl Drop for FakeSlot {
    fn drop(&mut self) {
        let hook = {
            let mut state = self.shared.lock();
            let busy = state.busy.get_mut(&version(&self.spec)).expect("counted when the slot was taken");
            *busy -= 1;
            state.hook.clone()
        };
        self.shared.changed.notify_waiters();
        if let Some(hook) = hook {
            hook(self.spec.function.id);
        }
    }
}

impl Slot for FakeSlot {
    fn invoke(
        self: Box<Self>,
        request: InvokeRequest,
        cancel: Cancel,
        started: StartedHook,
    ) -> BoxFuture<'static, AttemptOutcome> {
        Box::pin(async move {
            let instance = fake_instance();
            let run = (self.shared.script)(&self.spec, &request);
            let (sender, receiver) = oneshot::channel();
            {
                let mut state = self.shared.lock();
                state.started.push((request.request_id.clone(), request.retry_count));
                if run.holds() {
                    state.held.insert(request.request_id.clone(), sender);
                }
            }
            started(instance.clone());
            let log = run.log();
            self.shared.changed.notify_waiters();
            let result = run.go(&request, receiver, &cancel).await;
            self.shared.lock().held.remove(&request.request_id);
            AttemptOutcome {
                result,
                instance,
                duration: Duration::from_millis(1),
                memory_max_mb: 1.0,
                cold_start: false,
                log_tail: Bytes::new(),
                log,
            }
        })
    }
}

#[cfg(test)]
mod tests;
