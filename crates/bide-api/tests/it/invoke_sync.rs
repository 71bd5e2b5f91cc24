//! Synchronous invocations.

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::fixture::{Edge, FUNCTION, INVOCATIONS};

#[tokio::test]
async fn a_result_comes_with_what_is_known_about_the_run() {
    let edge = Edge::new().await;
    let reply = edge.send("POST", INVOCATIONS, &[("x-fc-trace-id", "r-1")], "hello").await;
    assert_eq!((reply.status, reply.body.as_ref()), (200, &b"hello"[..]));
    let checksum = edge.get(FUNCTION).await.json()["codeChecksum"].as_str().expect("a text").to_owned();
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("x-fc-request-id", "r-1"),
        ("x-fc-invocation-duration", "1"),
        ("x-fc-max-memory-usage", "1.00"),
        ("x-fc-code-checksum", checksum.as_str()),
        ("x-fc-instance-id", "c-fake"),
        ("x-fc-invocation-service-version", "LATEST"),
        ("x-fc-invocation-code-version", "LATEST"),
    ] {
        assert_eq!(reply.header(name), Some(value), "{name}");
    }
    let exposed = reply.header("access-control-expose-headers").expect("given");
    assert!(exposed.contains("x-fc-request-id"));
    assert_eq!((reply.header("x-fc-log-result"), reply.header("x-fc-error-type")), (None, None));
}

#[tokio::test]
async fn the_log_comes_when_asked_for() {
    let edge = Edge::new().await;
    let reply = edge.send("POST", INVOCATIONS, &[("x-fc-log-type", "Tail")], "x").await;
    assert!(BASE64.decode(reply.header("x-fc-log-result").expect("given")).is_ok());
    edge.send("POST", INVOCATIONS, &[("x-fc-log-type", "None")], "x").await.ok();
    edge.send("POST", INVOCATIONS, &[("x-fc-log-type", "All")], "x").await.error(400, "InvalidArgument");
    edge.put(FUNCTION, json!({"instanceConcurrency": 2})).await.ok();
    let reply = edge.send("POST", INVOCATIONS, &[("x-fc-log-type", "Tail")], "x").await;
    assert_eq!((reply.status, reply.header("x-fc-log-result")), (200, None));
}

#[tokio::test]
async fn a_failure_of_the_function_is_a_result_with_its_error_type() {
    let edge = Edge::new().await;
    let reply = edge.send("POST", INVOCATIONS, &[], "fail").await;
    assert_eq!((reply.status, reply.body.as_ref()), (200, &br#"{"errorMessage":"boom"}"#[..]));
    assert_eq!(reply.header("x-fc-error-type"), Some("UnhandledInvocationError"));
    assert_eq!(reply.header("content-type"), Some("application/octet-stream"));
}

#[tokio::test]
async fn a_failure_of_the_platform_is_an_error() {
    let edge = Edge::new().await;
    edge.send("POST", INVOCATIONS, &[], "broken-platform").await.error(500, "InternalServerError");
    edge.executor.set_slots(0);
    edge.send("POST", INVOCATIONS, &[], "x").await.error(429, "ResourceExhausted");
}

#[tokio::test]
async fn an_event_up_to_32_mib_is_taken_and_more_is_refused() {
    let edge = Edge::new().await;
    let event = vec![b'x'; 32 * 1024 * 1024];
    let reply = edge.send("POST", INVOCATIONS, &[], event.clone()).await;
    assert_eq!((reply.status, reply.body.len()), (200, event.len()));
    let message = edge.send("POST", INVOCATIONS, &[], [&event[..], b"x"].concat()).await;
    let message = message.error(400, "EntityTooLarge");
    assert_eq!(message, "payload size exceeds maximum allowed size (33554432 bytes)");
}

#[tokio::test]
async fn what_is_called_must_exist_before_anything_else_is_looked_at() {
    let edge = Edge::new().await;
    let bad_type = [("x-fc-invocation-type", "Later")];
    let invoke = async |path: &str| {
        let target = format!("/2016-08-15/services/{path}/invocations");
        edge.send("POST", &target, &bad_type, Body::empty()).await
    };
    assert_eq!(invoke("t/functions/f").await.error(404, "ServiceNotFound"), "service 't' does not exist");
    let message = invoke("s/functions/x").await.error(404, "FunctionNotFound");
    assert_eq!(message, "function 'x' does not exist in service 's'");
    invoke("s.1/functions/f").await.error(404, "VersionNotFound");
    invoke("s.prod/functions/f").await.error(404, "AliasNotFound");
    let message = invoke("s./functions/f").await.error(400, "InvalidArgument");
    assert!(message.contains("X-Fc-Invocation-Type"), "{message}");
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_server_goes_on() {
    let edge = Edge::new().await;
    let message = edge.send("POST", INVOCATIONS, &[], "panic").await.error(500, "InternalServerError");
    assert_eq!(message, "an internal error has occurred. Please retry.");
    edge.send("POST", INVOCATIONS, &[], "x").await.ok();
}
