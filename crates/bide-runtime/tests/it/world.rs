//! What the tests share: packages, functions, pools on a real clock, and conditions to wait for.

use std::collections::HashMap;
use std::io::{self, Cursor, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bide_env::{Clock, SystemClock, SystemEntropy};
use bide_runtime::{
    AttemptOutcome, AttemptResult, BoxFuture, Cancel, CodeSource, Executor, FunctionErrorCause,
    FunctionErrorKind, FunctionSpec, HttpFormat, HttpRequest, InvokeRequest, PoolOptions, Pools, Responder,
    ResponseHead, ResponseStream, Scale, Tracing,
};
use bide_sandbox::ProcessLauncher;
use bide_types::resource::{Code, Function, LayerReference, Runtime};
use bide_types::{AccountId, FunctionId, FunctionName, Qualifier, RequestId, ServiceName, Timestamp};
use bytes::Bytes;
use http::{HeaderName, HeaderValue};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// No test may take longer, whatever hangs.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Packages {
    zips: Mutex<HashMap<String, Bytes>>,
}

impl CodeSource for Packages {
    fn fetch(&self, digest: &str) -> BoxFuture<'_, io::Result<Bytes>> {
        let zip = self.zips.lock().unwrap().get(digest).cloned();
        Box::pin(async move { zip.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

pub(crate) struct World {
    pub(crate) pools: Pools,
    packages: Arc<Packages>,
    next_function: AtomicU64,
    _cache: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}, Arc::new(SystemClock::new())).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut PoolOptions), clock: Arc<dyn Clock>) -> Self {
        let cache = tempfile::tempdir().unwrap();
        let mut options = PoolOptions::new(cache.path().to_owned());
        change(&mut options);
        let packages = Arc::new(Packages::default());
        let launcher = Arc::new(ProcessLauncher::new().unwrap());
        let source = Arc::clone(&packages) as Arc<dyn CodeSource>;
        let pools = Pools::start(options, clock, &SystemEntropy, source, launcher).await.unwrap();
        Self { pools, packages, next_function: AtomicU64::new(1), _cache: cache }
    }

    pub(crate) fn python(&self, code: &str) -> Function {
        self.function("python3.10", "index.handler", &[("index.py", code, 0o644)])
    }

    pub(crate) fn node(&self, code: &str) -> Function {
        self.function("nodejs20", "index.handler", &[("index.js", code, 0o644)])
    }

    pub(crate) fn function(&self, runtime: &str, handler: &str, files: &[(&str, &str, u32)]) -> Function {
        let number = self.next_function.fetch_add(1, Ordering::Relaxed);
        let code = self.package(number, files);
        Function {
            id: FunctionId::new(number),
            initialization_timeout_seconds: 30,
            timeout_seconds: 30,
            custom_port: 0, // any: other tests run at the same time
            code,
            revision: 1,
            ..Function::new(
                AccountId::new("10001").unwrap(),
                ServiceName::new("svc").unwrap(),
                FunctionName::new("fun").unwrap(),
                Runtime::parse(runtime).unwrap(),
                handler.to_owned(),
                Timestamp::ZERO,
            )
        }
    }

    /// A version of a layer with these files.
    pub(crate) fn layer(&self, files: &[(&str, &str, u32)]) -> LayerReference {
        let number = self.next_function.fetch_add(1, Ordering::Relaxed);
        LayerReference { arn: String::new(), digest: self.package(number, files).digest, unpacked_bytes: 0 }
    }

    fn package(&self, number: u64, files: &[(&str, &str, u32)]) -> Code {
        let digest = format!("{number:064x}");
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text, mode) in files {
            writer.start_file(*name, SimpleFileOptions::default().unix_permissions(*mode)).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        let zip: Bytes = writer.finish().unwrap().into_inner().into();
        let size_bytes = zip.len() as u64;
        self.packages.zips.lock().unwrap().insert(digest.clone(), zip);
        Code { digest, crc64: 0, size_bytes }
    }

    pub(crate) async fn call(&self, spec: &Arc<FunctionSpec>, event: impl Into<Bytes>) -> AttemptOutcome {
        self.call_with(spec, request(event), Cancel::new()).await
    }

    /// Calls over HTTP and reads the response to its end.
    pub(crate) async fn call_http(
        &self,
        spec: &Arc<FunctionSpec>,
        http: HttpRequest,
        body: impl Into<Bytes>,
    ) -> Response {
        let (responder, mut stream) = Responder::channel();
        let request = InvokeRequest { responder: Some(responder), ..http_request(http, body) };
        let reading = async {
            let head = (&mut stream.head).await.ok();
            let mut body = Vec::new();
            while let Some(piece) = stream.body.recv().await {
                body.extend_from_slice(&piece);
            }
            (head, body)
        };
        let (outcome, (head, body)) = tokio::join!(self.call_with(spec, request, Cancel::new()), reading);
        Response { head, body, outcome }
    }

    /// Calls in a task of its own.
    pub(crate) fn call_aside(
        self: &Arc<Self>,
        spec: &Arc<FunctionSpec>,
        request: InvokeRequest,
    ) -> tokio::task::JoinHandle<AttemptOutcome> {
        let (world, spec) = (Arc::clone(self), Arc::clone(spec));
        tokio::spawn(async move { world.call_with(&spec, request, Cancel::new()).await })
    }

    pub(crate) async fn call_with(
        &self,
        spec: &Arc<FunctionSpec>,
        request: InvokeRequest,
        cancel: Cancel,
    ) -> AttemptOutcome {
        let run = async {
            let slot = self.pools.reserve(spec).await.unwrap();
            slot.invoke(request, cancel, Box::new(|_| {})).await
        };
        tokio::time::timeout(PATIENCE, run).await.expect("the attempt ends")
    }
}

/// An HTTP response as its caller saw it.
pub(crate) struct Response {
    pub(crate) head: Option<ResponseHead>,
    pub(crate) body: Vec<u8>,
    pub(crate) outcome: AttemptOutcome,
}

impl Response {
    pub(crate) fn status(&self) -> u16 {
        let head = self
            .head
            .as_ref()
            .unwrap_or_else(|| panic!("no head: {:?}\n{}", self.outcome.result, log(&self.outcome)));
        head.status.as_u16()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.as_ref().unwrap().headers[name].to_str().unwrap()
    }

    pub(crate) fn text(&self) -> &str {
        assert_eq!(self.outcome.result, AttemptResult::Returned(Bytes::new()), "{}", log(&self.outcome));
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(self.text()).unwrap()
    }
}

/// A `POST` from 192.0.2.7 to `http://fun.example:81/base` followed by `target`.
pub(crate) fn post(target: &str, headers: &[(&'static str, &str)]) -> HttpRequest {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
    HttpRequest {
        method: http::Method::POST,
        path: path.to_owned(),
        query,
        headers: headers.collect(),
        base_path: "/base".to_owned(),
        host: "fun.example:81".to_owned(),
        client_ip: Some([192, 0, 2, 7].into()),
        format: HttpFormat::Handler,
    }
}

/// The request of a synchronous HTTP call, and its response.
pub(crate) fn streamed(http: HttpRequest) -> (InvokeRequest, ResponseStream) {
    let (responder, stream) = Responder::channel();
    (InvokeRequest { responder: Some(responder), ..http_request(http, "") }, stream)
}

/// Makes a call and leaves as soon as its response begins: the attempt and its instance must end, and `after` be served by
/// another one.
pub(crate) async fn check_that_leaving_ends_the_instance(
    world: &Arc<World>,
    spec: Arc<FunctionSpec>,
    call: HttpRequest,
    after: HttpRequest,
) {
    let (request, mut stream) = streamed(call);
    let running = world.call_aside(&spec, request);
    (&mut stream.head).await.unwrap();
    drop(stream);
    let outcome = running.await.unwrap();
    assert_eq!(outcome.result, AttemptResult::Stopped);
    assert_ne!(world.call_http(&spec, after, "").await.outcome.instance, outcome.instance);
}

/// Begins `call`, whose response has 10 MB, makes three others of 2 MB to their ends if they may run beside it, and only
/// then reads the first.
pub(crate) async fn check_that_a_slow_reader_holds_up_nobody(
    world: &Arc<World>,
    spec: Arc<FunctionSpec>,
    call: HttpRequest,
    other: HttpRequest,
) {
    let (request, mut stream) = streamed(call);
    let slow = world.call_aside(&spec, request);
    (&mut stream.head).await.unwrap();
    if spec.function.instance_concurrency > 1 {
        for _ in 0..3 {
            assert_eq!(world.call_http(&spec, other.clone(), "").await.body.len(), 2_000_000);
        }
    }
    assert!(!slow.is_finished());
    let mut bytes = 0;
    while let Some(piece) = stream.body.recv().await {
        bytes += piece.len();
    }
    assert_eq!(bytes, 10_000_000);
    assert_eq!(text(&slow.await.unwrap()), "");
}

/// The request of an asynchronous HTTP call.
pub(crate) fn http_request(http: HttpRequest, body: impl Into<Bytes>) -> InvokeRequest {
    InvokeRequest { http: Some(Arc::new(http)), ..request(body) }
}

pub(crate) fn spec(function: Function) -> Arc<FunctionSpec> {
    Arc::new(FunctionSpec {
        function: Arc::new(function),
        qualifier: Qualifier::latest(),
        version_id: String::new(),
        region: "local".to_owned(),
        internet_access: false,
        role_arn: String::new(),
        scale: Scale::default(),
    })
}

pub(crate) fn request(event: impl Into<Bytes>) -> InvokeRequest {
    InvokeRequest {
        request_id: RequestId::new("req-1").unwrap(),
        payload: event.into(),
        retry_count: 0,
        task_id: None,
        alias: None,
        tracing: Tracing::default(),
        http: None,
        responder: None,
    }
}

pub(crate) fn text(outcome: &AttemptOutcome) -> &str {
    match &outcome.result {
        AttemptResult::Returned(value) => std::str::from_utf8(value).unwrap(),
        other => panic!("not returned: {other:?}\n{}", log(outcome)),
    }
}

pub(crate) fn json(outcome: &AttemptOutcome) -> serde_json::Value {
    serde_json::from_str(text(outcome)).unwrap()
}

pub(crate) fn log(outcome: &AttemptOutcome) -> &str {
    std::str::from_utf8(&outcome.log_tail).unwrap()
}

pub(crate) struct Failure {
    pub(crate) kind: FunctionErrorKind,
    pub(crate) cause: FunctionErrorCause,
    pub(crate) body: serde_json::Value,
}

pub(crate) fn failure(outcome: &AttemptOutcome) -> Failure {
    match &outcome.result {
        AttemptResult::FunctionError { kind, cause, body } => {
            Failure { kind: *kind, cause: *cause, body: serde_json::from_slice(body).unwrap() }
        }
        other => panic!("not a function error: {other:?}\n{}", log(outcome)),
    }
}

/// Whether the process runs; a zombie of somebody else's does not.
pub(crate) fn runs(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// Waits until `condition` holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    let poll = async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, poll).await.expect("the condition comes to hold");
}
