//! What the executor does with a call over HTTP: the path says it.

use bide_engine::{AttemptResult, FunctionErrorCause, FunctionErrorKind, HttpRequest, ResponseHead};
use bide_runtime::InvokeRequest;
use bide_runtime::testing::{FakeResponse, FakeRun};
use bytes::Bytes;
use serde_json::json;

const MIB: usize = 1024 * 1024;

pub(crate) fn run(http: &HttpRequest, request: &InvokeRequest) -> FakeRun {
    match http.path.as_str() {
        "/fail" => FakeRun::Finish(failure()),
        "/silent" => returned(),
        "/broken-platform" => FakeRun::Finish(AttemptResult::SystemError { message: "no disk".to_owned() }),
        "/hold" => FakeRun::Hold,
        "/begin" => respond(200, &[], &["first "], FakeRun::Hold),
        "/break" => respond(200, &[], &["first "], FakeRun::Finish(failure())),
        "/unavailable" => respond(503, &[("retry-after", "1")], &["later"], returned()),
        "/teapot" => respond(418, &[("x-many", "a"), ("x-many", "b")], &["short ", "and stout"], returned()),
        "/nothing" => respond(204, &[], &[], returned()),
        "/odd-status" => respond(101, &[], &[], returned()),
        "/reserved" => respond(200, RESERVED, &["ok"], returned()),
        "/large-headers" => respond(200, &[("x-large", &"x".repeat(8 * 1024))], &["ok"], returned()),
        "/length" => respond(200, &[("content-length", "5")], &["12", "345"], FakeRun::Hold),
        "/short" => respond(200, &[("content-length", "6")], &["12", "345"], returned()),
        "/long" => respond(200, &[("content-length", "4")], &["12", "345"], returned()),
        path => match path.strip_prefix("/mib/").and_then(|count| count.parse().ok()) {
            Some(count) => mebibytes(count),
            None => echo(http, request),
        },
    }
}

const RESERVED: &[(&str, &str)] = &[
    ("connection", "x-secret"),
    ("x-secret", "1"),
    ("keep-alive", "9"),
    ("date", "yesterday"),
    ("server", "mine"),
    ("upgrade", "h2c"),
    ("x-fc-request-id", "forged"),
    ("x-fc-anything", "forged"),
    ("x-kept", "1"),
];

/// Answers with what the function saw.
fn echo(http: &HttpRequest, request: &InvokeRequest) -> FakeRun {
    let headers: Vec<_> = http
        .headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let seen = json!({
        "method": http.method.as_str(),
        "path": http.path,
        "query": http.query,
        "headers": headers,
        "basePath": http.base_path,
        "host": http.host,
        "clientIp": http.client_ip,
        "format": format!("{:?}", http.format),
        "body": String::from_utf8_lossy(&request.payload),
        "taskId": request.task_id.as_ref().map(|task| task.as_str()),
    });
    respond(200, &[("content-type", "application/json")], &[&seen.to_string()], returned())
}

fn mebibytes(count: usize) -> FakeRun {
    let head = head(200, &[]);
    let pieces = vec![Bytes::from(vec![b'x'; MIB]); count];
    FakeRun::Respond(FakeResponse { head, pieces, then: Box::new(returned()) })
}

fn respond(status: u16, headers: &[(&str, &str)], pieces: &[&str], then: FakeRun) -> FakeRun {
    let pieces = pieces.iter().map(|piece| Bytes::copy_from_slice(piece.as_bytes())).collect();
    FakeRun::Respond(FakeResponse { head: head(status, headers), pieces, then: Box::new(then) })
}

fn head(status: u16, headers: &[(&str, &str)]) -> ResponseHead {
    let mut response = axum::http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let (parts, ()) = response.body(()).expect("a response").into_parts();
    ResponseHead { status: parts.status, headers: parts.headers }
}

fn returned() -> FakeRun {
    FakeRun::Finish(AttemptResult::Returned(Bytes::new()))
}

fn failure() -> AttemptResult {
    AttemptResult::FunctionError {
        kind: FunctionErrorKind::Unhandled,
        cause: FunctionErrorCause::Raised,
        body: Bytes::from_static(b"{\"errorMessage\":\"boom\"}"),
    }
}
