//! A whole engine whose outside world is under control.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bide_core::LeaseHolder;
use bide_engine::{
    Accepted, AsyncCall, AttemptResult, Dependencies, Destinations, Engine, Error, NoDestinations, Options,
    StartError, Status, Store, TaskView,
};
use bide_engine::{FunctionErrorCause, FunctionErrorKind};
use bide_env::{Clock, ManualClock, SequenceEntropy};
use bide_runtime::AttemptLog;
use bide_runtime::testing::{FakeExecutor, FakeRun};
use bide_store::memory::MemoryStore;
use bide_types::resource::{Code, Function, Runtime, Service};
use bide_types::{AccountId, FunctionName, Qualifier, RequestId, ServiceName, TaskId, Timestamp};
use bytes::Bytes;

use crate::troubled::Troubled;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// Most clock steps that a test waits through for something to happen.
const STEPS_MAX: usize = 2000;

pub(crate) struct Fixture {
    pub(crate) engine: Engine,
    pub(crate) store: MemoryStore,
    pub(crate) executor: FakeExecutor,
    pub(crate) clock: ManualClock,
    pub(crate) account: AccountId,
    destinations: Arc<dyn Destinations>,
    /// What the functions were called with, in order; those of HTTP calls are left out.
    pub(crate) events: Events,
}

pub(crate) type Events = Arc<Mutex<Vec<Bytes>>>;

/// What an attempt logs that logs something.
pub(crate) fn logged() -> AttemptLog {
    AttemptLog { text: Bytes::from_static(b"a line\n"), dropped_bytes: 3 }
}

/// The script that most tests use: the event says what happens.
pub(crate) fn script(payload: &[u8], retry_count: u32) -> FakeRun {
    match payload {
        b"fail" => FakeRun::Finish(failure()),
        b"fail-once" if retry_count == 0 => FakeRun::Finish(failure()),
        b"hold" => FakeRun::Hold,
        b"log-and-hold" => FakeRun::Print(logged(), Box::new(FakeRun::Hold)),
        b"broken-platform" => FakeRun::Finish(AttemptResult::SystemError { message: "no".to_owned() }),
        record if record.starts_with(b"{\"timestamp\"") => {
            FakeRun::Finish(AttemptResult::Returned(Bytes::new()))
        }
        other => FakeRun::Finish(AttemptResult::Returned(Bytes::copy_from_slice(other))),
    }
}

pub(crate) fn failure() -> AttemptResult {
    AttemptResult::FunctionError {
        kind: FunctionErrorKind::Unhandled,
        cause: FunctionErrorCause::Raised,
        body: Bytes::from_static(b"{\"errorMessage\":\"boom\"}"),
    }
}

impl Fixture {
    /// An engine with service `s` and functions `f` and `g`, each with `slots`.
    pub(crate) async fn new(slots: usize) -> Self {
        Self::with(slots, Options::default()).await.0
    }

    /// The same with other options, and the store to make trouble with.
    pub(crate) async fn with(slots: usize, options: Options) -> (Self, Troubled) {
        Self::with_destinations(slots, options, Arc::new(NoDestinations)).await
    }

    /// The same with something that stands for queues and topics.
    pub(crate) async fn with_destinations(
        slots: usize,
        options: Options,
        destinations: Arc<dyn Destinations>,
    ) -> (Self, Troubled) {
        let store = MemoryStore::default();
        let troubled = Troubled::new(store.clone());
        let seen = Arc::new(troubled.clone());
        let clock = ManualClock::at(START);
        let fixture = Self::start(store, seen, clock, slots, 1, options, destinations).await;
        fixture.engine.create_service(fixture.service("s")).await.expect("created");
        for name in ["f", "g"] {
            fixture.engine.create_function(fixture.function_named(name)).await.expect("created");
        }
        (fixture, troubled)
    }

    /// An engine that works on `seen`, which is `store` or stands before it and may hold something already.
    pub(crate) async fn start(
        store: MemoryStore,
        seen: Arc<dyn Store>,
        clock: ManualClock,
        slots: usize,
        holder: u64,
        options: Options,
        destinations: Arc<dyn Destinations>,
    ) -> Self {
        let events = Events::default();
        let seen_events = Arc::clone(&events);
        let executor = FakeExecutor::new(slots, move |spec, request| match &request.http {
            Some(http) => crate::http::script(http, request),
            None => {
                seen_events.lock().expect("free").push(request.payload.clone());
                crate::versions::script(spec, request)
                    .unwrap_or_else(|| script(&request.payload, request.retry_count))
            }
        });
        let engine = engine(seen, &executor, &clock, holder, options, &destinations).await.expect("started");
        let account = AccountId::new("10001").expect("valid");
        Self { engine, store, executor, clock, account, destinations, events }
    }

    /// Only tries to start another engine on the same store.
    pub(crate) async fn try_restart(&self, holder: u64) -> Result<Engine, StartError> {
        let store = Arc::new(self.store.reopen());
        engine(store, &self.executor, &self.clock, holder, Options::default(), &self.destinations).await
    }

    /// A second engine on the same store, as after a crash of the first, which is left as it is.
    pub(crate) async fn crash(self, holder: u64) -> Self {
        self.crash_with(holder, Options::default()).await
    }

    /// The same with other options.
    pub(crate) async fn crash_with(self, holder: u64, options: Options) -> Self {
        let store = self.store.reopen();
        let seen = Arc::new(store.clone());
        Self::start(store, seen, self.clock.clone(), 4, holder, options, self.destinations).await
    }

    pub(crate) fn service(&self, name: &str) -> Service {
        Service {
            account: self.account.clone(),
            name: ServiceName::new(name).expect("valid"),
            service_id: "id".to_owned(),
            description: String::new(),
            role: String::new(),
            internet_access: true,
            opaque: BTreeMap::new(),
            last_version: 0,
            created_at: self.clock.now(),
            modified_at: self.clock.now(),
        }
    }

    pub(crate) fn function_named(&self, name: &str) -> Function {
        Function {
            code: Code { digest: "0".repeat(64), crc64: 0, size_bytes: 0 },
            ..Function::new(
                self.account.clone(),
                ServiceName::new("s").expect("valid"),
                FunctionName::new(name).expect("valid"),
                Runtime::parse("python3").expect("valid"),
                "index.handler".to_owned(),
                self.clock.now(),
            )
        }
    }

    pub(crate) fn target(&self, function: &str) -> bide_engine::Target {
        self.engine.resolve(&self.account, "s", function, &Qualifier::latest()).expect("exists")
    }

    /// `f` of a qualifier.
    pub(crate) fn target_at(&self, qualifier: &str) -> bide_engine::Target {
        let qualifier = Qualifier::new(qualifier).expect("valid");
        self.engine.resolve(&self.account, "s", "f", &qualifier).expect("exists")
    }

    /// Submits a task to `f`.
    pub(crate) async fn submit(&self, task: &str, payload: &str, delay: u64) -> Result<Accepted, Error> {
        self.submit_to("f", task, payload, delay).await
    }

    pub(crate) async fn submit_to(
        &self,
        function: &str,
        task: &str,
        payload: &str,
        delay: u64,
    ) -> Result<Accepted, Error> {
        self.engine.submit(&self.target(function), call(task, payload, delay)).await
    }

    /// Submits a task to `f` of a qualifier.
    pub(crate) async fn submit_at(&self, qualifier: &str, task: &str, payload: &str, delay: u64) {
        let call = call(task, payload, delay);
        self.engine.submit(&self.target_at(qualifier), call).await.expect("accepted");
    }

    pub(crate) async fn task(&self, task: &str) -> TaskView {
        self.engine.task(&self.target("f"), &task_id(task)).await.expect("exists")
    }

    pub(crate) async fn status(&self, task: &str) -> Status {
        self.task(task).await.invocation.status()
    }

    /// Moves the clock in steps of `step` until the task of `f` has `status`.
    pub(crate) async fn until_status(&self, task: &str, status: Status, step: Duration) -> TaskView {
        for _ in 0..STEPS_MAX {
            let view = self.task(task).await;
            if view.invocation.status() == status {
                return view;
            }
            self.settle().await;
            self.clock.advance(step);
        }
        panic!("task {task} is {:?}, not {status:?}", self.status(task).await);
    }

    /// The destination records that `g` has been sent, its configuration being stateful.
    pub(crate) async fn records(&self) -> Vec<serde_json::Value> {
        let query = bide_engine::TaskQuery {
            function: self.target("g").function().id,
            qualifier: None,
            status: None,
            id_prefix: None,
            accepted_from: None,
            accepted_to: None,
            order: bide_engine::SortOrder::OldestFirst,
            limit: 100,
            after: None,
            payloads: true,
        };
        let page = self.engine.tasks(query).await.expect("readable");
        page.tasks
            .iter()
            .map(|task| serde_json::from_slice(task.payload.as_deref().expect("asked for")).expect("JSON"))
            .collect()
    }

    /// Lets every task of the engine run until it waits.
    pub(crate) async fn settle(&self) {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
}

async fn engine(
    store: Arc<dyn Store>,
    executor: &FakeExecutor,
    clock: &ManualClock,
    holder: u64,
    options: Options,
    destinations: &Arc<dyn Destinations>,
) -> Result<Engine, StartError> {
    let dependencies = Dependencies {
        store,
        executor: Arc::new(executor.clone()),
        clock: Arc::new(clock.clone()),
        entropy: Arc::new(SequenceEntropy::default()),
        destinations: Arc::clone(destinations),
        observer: Arc::new(bide_engine::NoObserver),
        holder: LeaseHolder(holder),
    };
    Engine::start(dependencies, options).await
}

fn call(task: &str, payload: &str, delay: u64) -> AsyncCall {
    AsyncCall {
        request_id: RequestId::new(&format!("r-{task}")).expect("valid"),
        task_id: Some(task_id(task)),
        stateful: true,
        delay: Duration::from_secs(delay),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        parent: None,
        http: None,
    }
}

pub(crate) fn task_id(text: &str) -> TaskId {
    TaskId::from_caller(text).expect("valid")
}

pub(crate) fn timeline(view: &TaskView) -> Vec<Status> {
    match &view.invocation.mode {
        bide_engine::Mode::Task { timeline, .. } => timeline.iter().map(|event| event.status).collect(),
        bide_engine::Mode::Plain => Vec::new(),
    }
}
