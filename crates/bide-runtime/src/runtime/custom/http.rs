//! HTTP/1.1 to the server of a custom runtime.
//!
//! Owns the connections (kept alive, one per request at a time), the headers of fc-behaviour 7.3 and the rules by which
//! a response is success or failure (7.2). HTTP calls are replayed as they came (5.4) and their responses streamed. The server is hostile: its bodies are bounded, its connections may break at
//! any time. A broken connection that had carried requests before may only have idled out, so such a request is sent
//! once more on a fresh connection if the server cannot have seen it.

use std::sync::{Mutex, MutexGuard};

use bide_sandbox::ProcessHandle;
use bide_types::RequestId;
use bide_types::limits::SYNC_PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use http::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue,
    TRANSFER_ENCODING,
};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::executor::{BoxFuture, FunctionErrorKind, InvokeRequest};
use crate::http_call::{CallerLeft, HttpRequest, Responder, ResponseHead};
use crate::runtime::frame::ERROR_BODY_BYTES_MAX;
use crate::runtime::response::{self, ResponseSink, Unwanted};
use crate::runtime::{Broken, Channel, Hook, Reply, Start};

/// By which the code tells the kinds of requests apart.
const CONTROL_PATH_HEADER: &str = "x-fc-control-path";

/// An open connection and the task that moves its bytes.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

pub(super) struct HttpChannel {
    process: ProcessHandle,
    port: u16,
    headers: HeaderMap,
    /// At most `instanceConcurrency` connections.
    idle: Mutex<Vec<Connection>>,
    /// The connection that found the server ready.
    first: Mutex<Option<TcpStream>>,
}

impl HttpChannel {
    pub(super) fn new(start: &Start<'_>, process: ProcessHandle, port: u16, first: TcpStream) -> Self {
        Self {
            process,
            port,
            headers: common_headers(start, port),
            idle: Mutex::new(Vec::new()),
            first: Mutex::new(Some(first)),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().expect("nothing panics while it holds the lock")
    }

    async fn open(&self) -> Result<Connection, Broken> {
        let first = self.first.lock().expect("nothing panics while it holds the lock").take();
        let stream = match first {
            Some(stream) => stream,
            None => self.process.connect(self.port).await.map_err(|_| Broken::Lost)?,
        };
        // Only a latency hint; without it requests still arrive.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|_| Broken::Lost)?;
        let driver = tokio::spawn(async move {
            // An error here ends the request that waits, which reports it.
            let _ = connection.await;
        });
        Ok(Connection { sender, driver })
    }

    /// Sends a request of the platform's own and judges its answer.
    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, Broken> {
        let (response, connection) = self.send(request).await?;
        let reply = read_reply(response).await?;
        self.idle().push(connection);
        Ok(reply)
    }

    /// Sends a caller's request and passes the response on.
    async fn pass_through(
        &self,
        request: Request<Full<Bytes>>,
        responder: Option<&Responder>,
    ) -> Result<Reply, Broken> {
        let (response, connection) = self.send(request).await?;
        let (head, mut body) = response.into_parts();
        let mut sink = ResponseSink::new(responder);
        let head = ResponseHead { status: head.status, headers: head.headers };
        sink.head(head).map_err(|CallerLeft| Broken::CallerLeft)?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Broken::Lost)?;
            let Ok(piece) = frame.into_data() else { continue };
            match sink.piece(piece).await {
                Ok(()) => {}
                Err(Unwanted::CallerLeft) => return Err(Broken::CallerLeft),
                Err(Unwanted::TooLong) => return Ok(response::too_long()),
            }
        }
        self.idle().push(connection);
        Ok(sink.finish())
    }

    /// Sends a request and waits for the head of the response. The connection is free when the body was read.
    async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(http::Response<Incoming>, Connection), Broken> {
        loop {
            let pooled = self.idle().pop();
            let reused = pooled.is_some();
            let mut connection = match pooled {
                Some(connection) => connection,
                None => self.open().await?,
            };
            if connection.sender.ready().await.is_err() {
                if reused {
                    continue;
                }
                return Err(Broken::Lost);
            }
            match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok((response, connection)),
                Err(mut error) => match error.take_message() {
                    // Still ours, so nothing of it was sent. Ends: every turn uses up an idle connection.
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(Broken::Lost),
                },
            }
        }
    }

    /// A request of the platform's own.
    fn request(
        &self,
        method: Method,
        path: &'static str,
        id: &RequestId,
        body: Bytes,
    ) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = Uri::from_static(path);
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        put(headers, CONTROL_PATH_HEADER, path);
        put(headers, "x-fc-request-id", id.as_str());
        request
    }

    fn event(&self, call: &InvokeRequest) -> Request<Full<Bytes>> {
        let mut request = self.request(Method::POST, "/invoke", &call.request_id, call.payload.clone());
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        put_call(headers, call);
        request
    }

    /// A caller's request, as it came; `None` if its path cannot be sent.
    fn replay(&self, call: &InvokeRequest, http: &HttpRequest) -> Option<Request<Full<Bytes>>> {
        let query = http.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let mut request = Request::new(Full::new(call.payload.clone()));
        *request.method_mut() = http.method.clone();
        *request.uri_mut() = Uri::from_maybe_shared(format!("{}{query}", http.path)).ok()?;
        let headers = request.headers_mut();
        *headers = http.headers.clone();
        for framing in [CONTENT_LENGTH, TRANSFER_ENCODING, CONNECTION, EXPECT] {
            headers.remove(framing);
        }
        let host = headers.remove(HOST).or_else(|| HeaderValue::from_str(&http.host).ok());
        headers.extend(self.headers.clone());
        if let Some(host) = host {
            headers.insert(HOST, host);
        }
        put(headers, CONTROL_PATH_HEADER, "/http-invoke");
        put(headers, "x-fc-request-id", call.request_id.as_str());
        put(headers, "x-fc-base-path", &http.base_path);
        if let Some(ip) = http.client_ip {
            put(headers, "x-fc-client-ip", &ip.to_string());
        }
        put_call(headers, call);
        Some(request)
    }

    /// The status of a `GET` on a connection of its own, which the server cannot have left half read.
    async fn get_status(&self, path: &str) -> Option<StatusCode> {
        let mut connection = self.open().await.ok()?;
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = path.parse().ok()?;
        if let Some(host) = self.headers.get(HOST) {
            request.headers_mut().insert(HOST, host.clone());
        }
        connection.sender.ready().await.ok()?;
        let response = connection.sender.send_request(request).await.ok()?;
        Some(response.status())
    }
}

impl Channel for HttpChannel {
    /// Each has a connection of its own, which is closed then.
    fn lets_go(&self) -> bool {
        true
    }

    fn initialize<'a>(&'a self, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>> {
        Box::pin(self.exchange(self.request(Method::POST, "/initialize", request_id, Bytes::new())))
    }

    fn probe<'a>(&'a self, path: &'a str) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            self.get_status(path).await.is_some_and(|status| status.is_success() || status.is_redirection())
        })
    }

    fn hook<'a>(&'a self, hook: Hook, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>> {
        let path = match hook {
            Hook::PreStop => "/pre-stop",
            Hook::PreFreeze => "/pre-freeze",
        };
        Box::pin(self.exchange(self.request(Method::GET, path, request_id, Bytes::new())))
    }

    fn invoke<'a>(&'a self, call: &'a InvokeRequest) -> BoxFuture<'a, Result<Reply, Broken>> {
        Box::pin(async move {
            let Some(http) = &call.http else { return self.exchange(self.event(call)).await };
            match self.replay(call, http) {
                Some(request) => self.pass_through(request, call.responder.as_ref()).await,
                None => Err(Broken::NotSent),
            }
        })
    }
}

/// What is said of a call, whichever way it came.
fn put_call(headers: &mut HeaderMap, call: &InvokeRequest) {
    put(headers, "x-fc-retry-count", &call.retry_count.to_string());
    if let Some(alias) = &call.alias {
        put(headers, "x-fc-qualifier", alias.as_str());
    }
    if let Some(task) = &call.task_id {
        put(headers, "x-fc-async-task-id", task.as_str());
    }
    if let Some(context) = &call.tracing.span_context {
        put(headers, "x-fc-tracing-opentracing-span-context", context);
    }
    if let Some(baggages) = &call.tracing.span_baggages {
        put(headers, "x-fc-tracing-opentracing-span-baggages", baggages);
    }
}

fn common_headers(start: &Start<'_>, port: u16) -> HeaderMap {
    let spec = start.spec;
    let function = &spec.function;
    let mut headers = HeaderMap::with_capacity(32);
    put(&mut headers, HOST.as_str(), &format!("127.0.0.1:{port}"));
    for empty in [
        "x-fc-access-key-id",
        "x-fc-access-key-secret",
        "x-fc-security-token",
        "x-fc-service-logproject",
        "x-fc-service-logstore",
        "x-fc-tracing-jaeger-endpoint",
    ] {
        put(&mut headers, empty, "");
    }
    put(&mut headers, "x-fc-function-name", function.name.as_str());
    put(&mut headers, "x-fc-function-handler", &function.handler);
    put(&mut headers, "x-fc-function-memory", &function.memory_mb.to_string());
    put(&mut headers, "x-fc-function-timeout", &function.timeout_seconds.to_string());
    put(&mut headers, "x-fc-function-initializer", function.initializer.as_deref().unwrap_or(""));
    for (name, hook) in [
        ("x-fc-instance-lifecycle-pre-stop-handler", &function.pre_stop),
        ("x-fc-instance-lifecycle-pre-freeze-handler", &function.pre_freeze),
    ] {
        put(&mut headers, name, hook.as_ref().map_or("", |hook| &hook.handler));
    }
    put(&mut headers, "x-fc-initialization-timeout", &function.initialization_timeout_seconds.to_string());
    put(&mut headers, "x-fc-region", &spec.region);
    put(&mut headers, "x-fc-account-id", function.account.as_str());
    put(&mut headers, "x-fc-qualifier", spec.qualifier.as_str());
    put(&mut headers, "x-fc-version-id", &spec.version_id);
    put(&mut headers, "x-fc-service-name", function.service.as_str());
    headers
}

/// Sets a header; a value that HTTP cannot carry is left out.
fn put(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// 2xx is success; everything else, and `x-fc-status: 404` with any status, is a function error. After 5xx the
/// instance is replaced.
async fn read_reply(response: http::Response<Incoming>) -> Result<Reply, Broken> {
    let status = response.status();
    let success = status.is_success() && !response::is_marked(response.headers());
    let limit = if success { SYNC_PAYLOAD_BYTES_MAX } else { ERROR_BODY_BYTES_MAX };
    let body =
        Limited::new(response.into_body(), limit).collect().await.map_err(|_| Broken::Lost)?.to_bytes();
    if success {
        return Ok(Reply::Returned(body));
    }
    let error = response::error_of(status, &body);
    Ok(Reply::Failed { kind: FunctionErrorKind::Unhandled, error, replace: status.is_server_error() })
}
