//! HTTP/1.1 to the server of a custom runtime.
//!
//! Owns the connections (kept alive, one per request at a time), the headers of fc-behaviour 7.3 and the rules by which
//! a response is success or failure (7.2). The server is hostile: its bodies are bounded, its connections may break at
//! any time. A broken connection that had carried requests before may only have idled out, so such a request is sent
//! once more on a fresh connection if the server cannot have seen it.

use std::sync::{Mutex, MutexGuard};

use bide_sandbox::ProcessHandle;
use bide_types::RequestId;
use bide_types::limits::SYNC_PAYLOAD_BYTES_MAX;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::executor::{BoxFuture, FunctionErrorKind, InvokeRequest};
use crate::runtime::frame::ERROR_BODY_BYTES_MAX;
use crate::runtime::{Broken, Channel, Reply, Start};

const STATUS_HEADER: &str = "x-fc-status";

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

    async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Reply, Broken> {
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
                Ok(response) => {
                    let reply = read_reply(response).await?;
                    self.idle().push(connection);
                    return Ok(reply);
                }
                Err(mut error) => match error.take_message() {
                    // Still ours, so nothing of it was sent. Ends: every turn uses up an idle connection.
                    Some(unsent) if reused => request = unsent,
                    _ => return Err(Broken::Lost),
                },
            }
        }
    }

    fn request(&self, path: &'static str, id: &RequestId, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = http::Uri::from_static(path);
        let headers = request.headers_mut();
        headers.extend(self.headers.clone());
        put(headers, "x-fc-control-path", path);
        put(headers, "x-fc-request-id", id.as_str());
        request
    }
}

impl Channel for HttpChannel {
    fn initialize<'a>(&'a self, request_id: &'a RequestId) -> BoxFuture<'a, Result<Reply, Broken>> {
        Box::pin(async move {
            let request = self.request("/initialize", request_id, Bytes::new());
            self.exchange(request).await
        })
    }

    fn invoke<'a>(&'a self, call: &'a InvokeRequest) -> BoxFuture<'a, Result<Reply, Broken>> {
        Box::pin(async move {
            let mut request = self.request("/invoke", &call.request_id, call.payload.clone());
            let headers = request.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
            put(headers, "x-fc-retry-count", &call.retry_count.to_string());
            if let Some(task) = &call.task_id {
                put(headers, "x-fc-async-task-id", task.as_str());
            }
            if let Some(context) = &call.tracing.span_context {
                put(headers, "x-fc-tracing-opentracing-span-context", context);
            }
            if let Some(baggages) = &call.tracing.span_baggages {
                put(headers, "x-fc-tracing-opentracing-span-baggages", baggages);
            }
            self.exchange(request).await
        })
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
        "x-fc-instance-lifecycle-pre-stop-handler",
        "x-fc-instance-lifecycle-pre-freeze-handler",
    ] {
        put(&mut headers, empty, "");
    }
    put(&mut headers, "x-fc-function-name", function.name.as_str());
    put(&mut headers, "x-fc-function-handler", &function.handler);
    put(&mut headers, "x-fc-function-memory", &function.memory_mb.to_string());
    put(&mut headers, "x-fc-function-timeout", &function.timeout_seconds.to_string());
    put(&mut headers, "x-fc-function-initializer", function.initializer.as_deref().unwrap_or(""));
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
    let marked = response.headers().get(STATUS_HEADER).is_some_and(|value| value == "404");
    let success = status.is_success() && !marked;
    let limit = if success { SYNC_PAYLOAD_BYTES_MAX } else { ERROR_BODY_BYTES_MAX };
    let body =
        Limited::new(response.into_body(), limit).collect().await.map_err(|_| Broken::Lost)?.to_bytes();
    Ok(if success { Reply::Returned(body) } else { failed(status, &body) })
}

fn failed(status: StatusCode, body: &Bytes) -> Reply {
    let is_object = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body).is_ok();
    let error = if is_object {
        body.clone()
    } else {
        let message = String::from_utf8_lossy(body);
        let message = if message.is_empty() { format!("status {}", status.as_u16()).into() } else { message };
        serde_json::json!({ "errorMessage": message, "errorType": "FunctionUnhandledError" })
            .to_string()
            .into()
    };
    Reply::Failed { kind: FunctionErrorKind::Unhandled, error, replace: status.is_server_error() }
}
