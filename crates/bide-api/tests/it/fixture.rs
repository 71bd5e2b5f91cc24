//! A whole server without a socket, and a client that signs.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bide_api::auth::{Credential, Credentials, Secret, fc};
use bide_api::{ApiState, Domains, PublicAddress};
use bide_core::LeaseHolder;
use bide_engine::{AttemptResult, Dependencies, Engine, FunctionErrorCause, FunctionErrorKind, Options};
use bide_env::{Clock, ManualClock, SequenceEntropy};
use bide_runtime::AttemptLog;
use bide_runtime::testing::{FakeExecutor, FakeRun};
use bide_store::memory::MemoryStore;
use bide_types::{AccountId, DomainName, Timestamp};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};

use crate::http_script;

/// 2024-01-01T00:00:00Z.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_704_067_200_000);
pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const SERVICES: &str = "/2016-08-15/services";
pub(crate) const FUNCTION: &str = "/2016-08-15/services/s/functions/f";
pub(crate) const INVOCATIONS: &str = "/2016-08-15/services/s/functions/f/invocations";
pub(crate) const TASKS: &str = "/2016-08-15/services/s/functions/f/stateful-async-invocations";
pub(crate) const TRIGGERS: &str = "/2016-08-15/services/s/functions/f/triggers";
/// The path form of calls of `f` over HTTP.
pub(crate) const PROXY: &str = "/2016-08-15/proxy/s/f";
pub(crate) const METHODS: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS"];
pub(crate) const HTTP_DOMAIN: &str = "fc.localhost";
pub(crate) const API_HOST: &str = "api.example.com";
pub(crate) const CONFIG: &str = "/2016-08-15/services/s/functions/f/async-invoke-config";

pub(crate) struct Edge {
    pub(crate) router: axum::Router,
    pub(crate) engine: Engine,
    pub(crate) store: MemoryStore,
    pub(crate) executor: FakeExecutor,
    pub(crate) clock: ManualClock,
    pub(crate) credential: Credential,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Edge {
    /// A server without services.
    pub(crate) async fn empty() -> Self {
        Self::with_keys(&[("AKIDEXAMPLE", ACCOUNT)]).await
    }

    /// A server without services that knows these keys with their accounts; the first one signs.
    pub(crate) async fn with_keys(keys: &[(&str, &str)]) -> Self {
        Self::with_keys_and_hosts(keys, &[API_HOST]).await
    }

    /// The same with these names of the API.
    pub(crate) async fn with_keys_and_hosts(keys: &[(&str, &str)], api_hosts: &[&str]) -> Self {
        let clock = ManualClock::at(START);
        let entropy = Arc::new(SequenceEntropy::default());
        let store = MemoryStore::default();
        let executor = FakeExecutor::new(4, |_, request| match &request.http {
            Some(http) => http_script::run(http, request),
            None => script(&request.payload),
        });
        let dependencies = Dependencies {
            store: Arc::new(store.clone()),
            executor: Arc::new(executor.clone()),
            clock: Arc::new(clock.clone()),
            entropy: entropy.clone(),
            destinations: Arc::new(bide_engine::NoDestinations),
            observer: Arc::new(bide_engine::NoObserver),
            holder: LeaseHolder(1),
        };
        let engine = Engine::start(dependencies, Options::default()).await.expect("started");
        let credentials: Vec<Credential> =
            keys.iter().map(|(key, account)| credential(key, account)).collect();
        let credential = credentials[0].clone();
        let domains = Domains {
            http_domain: Some(DomainName::new(HTTP_DOMAIN).expect("valid")),
            api_hosts: api_hosts.iter().map(|host| DomainName::new(host).expect("valid")).collect(),
        };
        let state = ApiState::new(
            engine.clone(),
            credentials.into_iter().collect::<Credentials>(),
            Arc::new(clock.clone()),
            entropy,
            PublicAddress::HostHeader { default_port: 8700 },
            domains,
        );
        Self { router: bide_api::router(Arc::new(state)), engine, store, executor, clock, credential }
    }

    /// A server with service `s` and functions `f` and `g`.
    pub(crate) async fn new() -> Self {
        let edge = Self::empty().await;
        edge.send("POST", SERVICES, &[], json!({"serviceName": "s"}).to_string()).await.ok();
        for name in ["f", "g"] {
            edge.create_function(json!({"functionName": name})).await.ok();
        }
        edge
    }

    /// The same with an anonymous HTTP trigger `http` on `f`.
    pub(crate) async fn with_trigger() -> Self {
        let edge = Self::new().await;
        edge.create_trigger("http", json!({"authType": "anonymous", "methods": METHODS})).await.ok();
        edge
    }

    /// Creates an HTTP trigger of `f`.
    pub(crate) async fn create_trigger(&self, name: &str, config: Value) -> Reply {
        let body = json!({"triggerName": name, "triggerType": "http", "triggerConfig": config});
        self.send("POST", TRIGGERS, &[], body.to_string()).await
    }

    /// Sends a request that is not signed.
    pub(crate) async fn send_unsigned(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.exchange(request.body(body.into()).expect("a request")).await
    }

    /// The same with task mode on for `f`.
    pub(crate) async fn with_tasks() -> Self {
        let edge = Self::new().await;
        edge.put(CONFIG, json!({"statefulInvocation": true})).await.ok();
        edge
    }

    /// Creates a function in `s`; `changes` go over usual fields.
    pub(crate) async fn create_function(&self, changes: Value) -> Reply {
        let mut body = json!({
            "functionName": "f", "runtime": "python3.9", "handler": "index.handler",
            "code": {"zipFile": zip(&[("index.py", b"def handler(e, c): return e\n")])},
        });
        for (field, value) in changes.as_object().expect("an object") {
            body[field] = value.clone();
        }
        self.send("POST", "/2016-08-15/services/s/functions", &[], body.to_string()).await
    }

    pub(crate) async fn get(&self, target: &str) -> Reply {
        self.send("GET", target, &[], "").await
    }

    pub(crate) async fn delete(&self, target: &str) -> Reply {
        self.send("DELETE", target, &[], "").await
    }

    pub(crate) async fn put(&self, target: &str, body: Value) -> Reply {
        self.send("PUT", target, &[], body.to_string()).await
    }

    /// Submits an asynchronous invocation of `f`.
    pub(crate) async fn submit(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let headers = [&[("x-fc-invocation-type", "Async")], headers].concat();
        self.send("POST", INVOCATIONS, &headers, body).await
    }

    /// Sends a signed request.
    pub(crate) async fn send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        self.exchange(self.signed(method, target, headers).body(body.into()).expect("a request")).await
    }

    /// The head of a signed request.
    pub(crate) fn signed(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
    ) -> axum::http::request::Builder {
        let mut map: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().expect("a name"), HeaderValue::from_str(value).expect("a value"))
            })
            .collect();
        map.insert("date", fc::date(self.clock.now()));
        let method: Method = method.parse().expect("a method");
        let authorization = fc::sign(&self.credential, &method, target, &map);
        map.insert("authorization", authorization);
        let mut request = Request::builder().method(method).uri(target);
        *request.headers_mut().expect("a good request") = map;
        request
    }

    pub(crate) async fn exchange(&self, request: Request<Body>) -> Reply {
        let answered = TowerToHyperService::new(self.router.clone()).call(request).await;
        let (head, body) = answered.expect("the router always answers").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        Reply { status: head.status.as_u16(), headers: head.headers, body }
    }

    /// The task of `f`, once it has `status`.
    pub(crate) async fn until_status(&self, id: &str, status: &str) -> Value {
        for _ in 0..1000 {
            let task = self.get(&format!("{TASKS}/{id}")).await.json();
            if task["status"] == status {
                return task;
            }
            tokio::task::yield_now().await;
        }
        panic!("task {id} never became {status}: {}", self.get(&format!("{TASKS}/{id}")).await.json());
    }
}

impl Reply {
    /// Checks for success and returns the body.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.headers["content-type"], "application/json");
        serde_json::from_slice(&self.body).expect("JSON")
    }

    #[track_caller]
    pub(crate) fn ok(&self) {
        assert!((200..300).contains(&self.status), "{} {}", self.status, String::from_utf8_lossy(&self.body));
    }

    /// Checks everything that holds for every error and returns the message.
    #[track_caller]
    pub(crate) fn error(&self, status: u16, code: &str) -> String {
        let body: Value = serde_json::from_slice(&self.body).expect("an error body is JSON");
        assert_eq!((self.status, body["ErrorCode"].as_str()), (status, Some(code)), "{body}");
        assert_eq!(self.headers["content-type"], "application/json");
        assert_eq!(body["Code"], body["ErrorCode"]);
        assert_eq!(body["Message"], body["ErrorMessage"]);
        assert_eq!(body["RequestId"].as_str(), self.header("x-fc-request-id"));
        body["ErrorMessage"].as_str().expect("a message").to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }
}

pub(crate) fn credential(key: &str, account: &str) -> Credential {
    Credential::new(key, &Secret::new("SECRETEXAMPLE"), AccountId::new(account).expect("valid"))
}

fn logged(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = payload.strip_prefix(b"log ")?;
    let end = rest.iter().position(|byte| *byte == b';')?;
    Some((&rest[..end], &rest[end + 1..]))
}

/// What the executor does with an event. `log TEXT;EVENT` logs the text and does what the event says.
fn script(payload: &[u8]) -> FakeRun {
    if let Some((text, rest)) = logged(payload) {
        let log = AttemptLog { text: Bytes::copy_from_slice(text), dropped_bytes: 2 };
        return FakeRun::Print(log, Box::new(script(rest)));
    }
    match payload {
        b"fail" => FakeRun::Finish(AttemptResult::FunctionError {
            kind: FunctionErrorKind::Unhandled,
            cause: FunctionErrorCause::Raised,
            body: Bytes::from_static(b"{\"errorMessage\":\"boom\"}"),
        }),
        b"hold" => FakeRun::Hold,
        b"broken-platform" => FakeRun::Finish(AttemptResult::SystemError { message: "no disk".to_owned() }),
        b"panic" => panic!("on purpose"),
        other => FakeRun::Finish(AttemptResult::Returned(Bytes::copy_from_slice(other))),
    }
}

/// A zip of the given files, in base64.
pub(crate) fn zip(files: &[(&str, &[u8])]) -> String {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a name");
        writer.write_all(content).expect("memory");
    }
    BASE64.encode(writer.finish().expect("memory").into_inner())
}

/// A zip with one symbolic link, in base64.
pub(crate) fn zip_with_link(name: &str, target: &str) -> String {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.add_symlink(name, target, zip::write::SimpleFileOptions::default()).expect("a name");
    BASE64.encode(writer.finish().expect("memory").into_inner())
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
