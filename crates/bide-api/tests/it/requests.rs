//! What holds for every request: ids, signatures, routes, health.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::fixture::{Edge, FUNCTION, INVOCATIONS, SERVICES};

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let edge = Edge::new().await;
    for target in [SERVICES, FUNCTION, "/2016-08-15/services/none", "/nowhere"] {
        let reply = edge.get(target).await;
        assert_eq!(reply.header("x-fc-request-id").expect("a request id").len(), 36, "{target}");
    }
    for target in ["/healthz", "/readyz"] {
        let reply = edge.exchange(Request::get(target).body(Body::empty()).expect("a request")).await;
        assert!(reply.header("x-fc-request-id").is_some(), "{target}");
    }
}

#[tokio::test]
async fn a_trace_id_becomes_the_request_id() {
    let edge = Edge::new().await;
    let reply = edge.send("GET", SERVICES, &[("x-fc-trace-id", "1-abc")], "").await;
    assert_eq!(reply.header("x-fc-request-id"), Some("1-abc"));
    let reply = edge.send("GET", SERVICES, &[("x-fc-trace-id", "not usable")], "").await;
    assert_ne!(reply.header("x-fc-request-id"), Some("not usable"));
}

#[tokio::test]
async fn unknown_paths_and_methods_are_not_supported() {
    let edge = Edge::new().await;
    for (method, target) in [
        ("GET", "/"),
        ("GET", "/2023-03-30/functions"),
        ("GET", "/2016-08-15/"),
        ("GET", "/2016-08-15/services/s/triggers"),
        ("PATCH", SERVICES),
        ("GET", INVOCATIONS),
        ("POST", "/readyz"),
        ("GET", "/2016-08-15/services/%ff"),
    ] {
        let message = edge.send(method, target, &[], "").await.error(400, "PathNotSupported");
        assert_eq!(message, format!("'{method}' against '{target}' is not supported"));
    }
}

#[tokio::test]
async fn a_name_may_be_percent_encoded() {
    let edge = Edge::new().await;
    edge.get("/2016-08-15/services/%73/functions/%66").await.json();
    edge.get("/2016-08-15/services/s%2Ffunctions").await.error(404, "ServiceNotFound");
}

#[tokio::test]
async fn a_request_must_be_signed_by_a_known_key_and_now() {
    let edge = Edge::new().await;
    let with = |change: &dyn Fn(&mut axum::http::HeaderMap)| {
        let mut request = edge.signed("GET", SERVICES, &[]).body(Body::empty()).expect("a request");
        change(request.headers_mut());
        request
    };
    let message = edge
        .exchange(with(&|headers| {
            headers.remove("authorization");
        }))
        .await
        .error(400, "MissingRequiredHeader");
    assert_eq!(message, "required HTTP header Authorization was not specified");
    let message = edge
        .exchange(with(&|headers| {
            headers.remove("date");
        }))
        .await
        .error(400, "MissingRequiredHeader");
    assert_eq!(message, "required HTTP header Date was not specified");

    for (authorization, code) in [
        ("FC AKIDEXAMPLE:lWH5dSoawYiXGxAcd50w5MNay8pbcQc3YLYFMSC06m0=", "SignatureNotMatch"),
        ("FC SOMEONE:lWH5dSoawYiXGxAcd50w5MNay8pbcQc3YLYFMSC06m0=", "InvalidAccessKeyID"),
    ] {
        let request = with(&|headers| {
            headers.insert("authorization", authorization.parse().expect("ASCII"));
        });
        edge.exchange(request).await.error(403, code);
    }

    let stale = with(&|_| {});
    edge.clock.advance(Duration::from_secs(15 * 60 + 1));
    edge.exchange(stale).await.error(403, "AccessDenied");
}

#[tokio::test]
async fn the_account_hint_must_agree_with_the_key() {
    let edge = Edge::new().await;
    for good in ["", crate::fixture::ACCOUNT] {
        edge.send("GET", SERVICES, &[("x-fc-account-id", good)], "").await.json();
    }
    edge.send("GET", SERVICES, &[("x-fc-account-id", "10002")], "").await.error(403, "AccessDenied");
}

#[tokio::test]
async fn readiness_follows_the_engine() {
    let edge = Edge::new().await;
    let request = |target: &str| Request::get(target).body(Body::empty()).expect("a request");
    assert_eq!(edge.exchange(request("/readyz")).await.json(), json!({"status": "ready"}));

    edge.store.fail_after(0);
    edge.submit(&[], "x").await.error(503, "ServiceUnavailable");
    edge.exchange(request("/readyz")).await.error(503, "ServiceUnavailable");
    assert_eq!(edge.exchange(request("/healthz")).await.json(), json!({"status": "ok"}));
}
