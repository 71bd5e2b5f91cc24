//! Calls over HTTP by the path form: who may call, what passes, what is refused.

use axum::http::HeaderMap;
use bide_api::auth::fc;
use bide_env::Clock as _;
use serde_json::{Value, json};

use crate::fixture::{CONFIG, Edge, FUNCTION, METHODS, PROXY, Reply, SECOND, TASKS, TRIGGERS, credential};

fn at(path: &str) -> String {
    format!("{PROXY}{path}")
}

/// The headers that the function saw under `name`.
fn seen<'a>(echoed: &'a Value, name: &str) -> Vec<&'a str> {
    let headers = echoed["headers"].as_array().expect("a list").iter();
    headers.filter(|header| header[0] == name).map(|header| header[1].as_str().expect("a text")).collect()
}

/// Checks what holds for every refusal of a call over HTTP.
#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) -> String {
    assert_eq!(reply.header("x-fc-error-type"), Some("FcCommonError"));
    reply.error(status, code)
}

#[tokio::test]
async fn the_function_sees_the_call_as_it_was_sent() {
    let edge = Edge::with_trigger().await;
    let headers = [("host", "example.com:80"), ("x-many", "a"), ("x-many", "b"), ("cookie", "c=1")];
    let reply = edge.send_unsigned("PATCH", &at("/a%20b/c?x=1&y=%20&z"), &headers, "body").await;
    assert_eq!(reply.header("x-fc-instance-id"), Some("c-fake"));
    assert_eq!(reply.header("x-fc-error-type"), None);
    let echoed = reply.json();
    assert_eq!((&echoed["method"], &echoed["path"]), (&json!("PATCH"), &json!("/a%20b/c")));
    assert_eq!((&echoed["query"], &echoed["body"]), (&json!("x=1&y=%20&z"), &json!("body")));
    assert_eq!((&echoed["basePath"], &echoed["host"]), (&json!(PROXY), &json!("example.com:80")));
    assert_eq!((&echoed["format"], &echoed["clientIp"]), (&json!("Handler"), &Value::Null));
    assert_eq!((seen(&echoed, "x-many"), seen(&echoed, "cookie")), (vec!["a", "b"], vec!["c=1"]));
}

#[tokio::test]
async fn a_path_that_ends_with_the_function_is_its_root() {
    let edge = Edge::with_trigger().await;
    for (target, base_path, path) in [
        (PROXY.to_owned(), PROXY, "/"),
        (at("/"), PROXY, "/"),
        (at("//a/"), PROXY, "//a/"),
        ("/2016-08-15/proxy/s.LATEST/f/a".to_owned(), "/2016-08-15/proxy/s.LATEST/f", "/a"),
        ("/2016-08-15/proxy/s./%66/a".to_owned(), "/2016-08-15/proxy/s./%66", "/a"),
    ] {
        let echoed = edge.send_unsigned("GET", &target, &[], "").await.json();
        assert_eq!((&echoed["basePath"], &echoed["path"]), (&json!(base_path), &json!(path)), "{target}");
    }
}

#[tokio::test]
async fn what_is_not_there_cannot_be_called() {
    let edge = Edge::with_trigger().await;
    for (path, status, code) in [
        ("t/f/", 404, "ServiceNotFound"),
        ("s/x/", 404, "FunctionNotFound"),
        ("s.7/f/", 404, "VersionNotFound"),
        ("s.prod/f/", 404, "AliasNotFound"),
        ("s/g/", 404, "TriggerNotFound"),
        ("s", 400, "PathNotSupported"),
        ("s//a", 400, "PathNotSupported"),
        ("%ff/f/", 400, "PathNotSupported"),
    ] {
        let reply = edge.send_unsigned("GET", &format!("/2016-08-15/proxy/{path}"), &[], "").await;
        refused(&reply, status, code);
    }
    edge.delete(&format!("{TRIGGERS}/http")).await.ok();
    refused(&edge.send_unsigned("GET", PROXY, &[], "").await, 404, "TriggerNotFound");
}

#[tokio::test]
async fn a_trigger_that_asks_for_a_signature_gets_one_of_the_functions_account() {
    let edge = Edge::with_keys(&[("AKIDEXAMPLE", "10001"), ("OTHER", "10002")]).await;
    edge.send("POST", "/2016-08-15/services", &[], r#"{"serviceName": "s"}"#).await.ok();
    edge.create_function(json!({})).await.ok();
    edge.create_trigger("http", json!({"authType": "function", "methods": ["GET"]})).await.ok();
    let target = at("/a?x=1&a=2");

    let echoed = edge.send("GET", &target, &[], "").await.json();
    assert!(seen(&echoed, "authorization").is_empty(), "the signature was for the platform");
    let hint = [("x-fc-account-id", "10001")];
    refused(&edge.send_unsigned("GET", &target, &hint, "").await, 400, "MissingRequiredHeader");
    let forged = [("authorization", "FC AKIDEXAMPLE:AAAA"), ("date", "Mon, 01 Jan 2024 00:00:00 GMT")];
    refused(&edge.send_unsigned("GET", &target, &forged, "").await, 403, "SignatureNotMatch");
    let unknown = [("authorization", "FC nobody:AAAA"), ("date", "Mon, 01 Jan 2024 00:00:00 GMT")];
    refused(&edge.send_unsigned("GET", &target, &unknown, "").await, 403, "InvalidAccessKeyID");
    let unsigned_query = edge.signed("GET", &at("/a?x=1"), &[]).uri(&target).body("".into());
    refused(&edge.exchange(unsigned_query.expect("a request")).await, 403, "SignatureNotMatch");
    edge.clock.advance(SECOND * 901);
    let late = edge.signed("GET", &target, &[("date", "Mon, 01 Jan 2024 00:00:00 GMT")]);
    edge.clock.advance(SECOND * 901);
    refused(&edge.exchange(late.body("".into()).expect("a request")).await, 403, "AccessDenied");
}

#[tokio::test]
async fn a_key_of_another_account_opens_no_function() {
    let edge = Edge::with_keys(&[("AKIDEXAMPLE", "10001"), ("OTHER", "10002")]).await;
    edge.send("POST", "/2016-08-15/services", &[], r#"{"serviceName": "s"}"#).await.ok();
    edge.create_function(json!({})).await.ok();
    let made = edge.create_trigger("http", json!({"authType": "function", "methods": ["GET"]})).await.json();
    let host = made["domainName"].as_str().expect("given");

    let sign = |host: &str, key: &str, account: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("date", fc::date(edge.clock.now()));
        let signature =
            fc::sign_http(&credential(key, account), &"GET".parse().expect("a method"), "/a?b", &headers);
        headers.insert("authorization", signature);
        headers.insert("host", host.parse().expect("a host"));
        let mut request = axum::http::Request::builder().uri("/a?b");
        *request.headers_mut().expect("a good request") = headers;
        request.body("".into()).expect("a request")
    };
    assert_eq!(edge.exchange(sign(host, "AKIDEXAMPLE", "10001")).await.json()["path"], "/a");
    refused(&edge.exchange(sign(host, "OTHER", "10002")).await, 403, "AccessDenied");
    // By the path form the key says whose function is meant.
    let mut other = Edge::with_keys(&[("OTHER", "10002")]).await;
    other.router = edge.router.clone();
    let reply = other.exchange(other.signed("GET", PROXY, &[]).body("".into()).expect("a request")).await;
    refused(&reply, 404, "ServiceNotFound");
}

#[tokio::test]
async fn the_path_form_names_its_account_when_there_are_several() {
    let edge = Edge::with_keys(&[("AKIDEXAMPLE", "10001"), ("OTHER", "10002")]).await;
    edge.send("POST", "/2016-08-15/services", &[], r#"{"serviceName": "s"}"#).await.ok();
    edge.create_function(json!({})).await.ok();
    edge.create_trigger("http", json!({"authType": "anonymous", "methods": ["GET"]})).await.ok();
    let message = refused(&edge.send_unsigned("GET", PROXY, &[], "").await, 400, "MissingRequiredHeader");
    assert!(message.contains("X-Fc-Account-Id"), "{message}");
    for named in [("x-fc-account-id", "10001"), ("host", "10001.local.fc.example.com")] {
        edge.send_unsigned("GET", PROXY, &[named], "").await.json();
    }
    for named in [("x-fc-account-id", "10002"), ("host", "10002.local.fc.example.com")] {
        refused(&edge.send_unsigned("GET", PROXY, &[named], "").await, 404, "ServiceNotFound");
    }
}

#[tokio::test]
async fn an_anonymous_trigger_leaves_the_authorization_to_the_function() {
    let edge = Edge::with_trigger().await;
    for (name, value) in [("authorization", "Bearer abc"), ("authorization", "FC AKIDEXAMPLE:forged")] {
        let echoed = edge.send_unsigned("GET", PROXY, &[(name, value)], "").await.json();
        assert_eq!(seen(&echoed, name), [value]);
    }
}

#[tokio::test]
async fn a_method_that_is_not_listed_is_refused() {
    let edge = Edge::new().await;
    edge.create_trigger("http", json!({"authType": "anonymous", "methods": ["GET", "PUT"]})).await.ok();
    for method in METHODS.iter().chain(&["TRACE", "get", "PROPFIND"]).filter(|method| **method != "HEAD") {
        let reply = edge.send_unsigned(method, PROXY, &[], "").await;
        if ["GET", "PUT"].contains(method) {
            reply.json();
        } else {
            refused(&reply, 403, "AccessDenied");
        }
    }
    assert_eq!(edge.send_unsigned("HEAD", PROXY, &[], "").await.status, 403);
}

#[tokio::test]
async fn headers_of_the_connection_and_of_the_platform_do_not_pass() {
    let edge = Edge::with_trigger().await;
    let headers = [
        ("connection", "close, X-Hop"),
        ("x-hop", "1"),
        ("keep-alive", "5"),
        ("te", "trailers"),
        ("proxy-authorization", "Basic x"),
        ("upgrade", "websocket"),
        ("x-fc-log-type", "None"),
        ("x-fc-trace-id", "mine"),
        ("x-fc-security-token", "t"),
        ("x_fc_client_ip", "10.0.0.1"),
        ("x-fc_request-id", "mine"),
        ("x-passes", "1"),
    ];
    let reply = edge.send_unsigned("GET", PROXY, &headers, "").await;
    assert_ne!(reply.header("x-fc-request-id"), Some("mine"), "whoever calls chooses no ids of ours");
    assert_eq!(reply.json()["headers"], json!([["x-passes", "1"]]));

    let reply = edge.send_unsigned("GET", &at("/reserved"), &[], "").await;
    assert_eq!((reply.status, reply.header("x-kept")), (200, Some("1")));
    for name in ["connection", "x-secret", "keep-alive", "date", "server", "upgrade", "x-fc-anything"] {
        assert_eq!(reply.header(name), None, "{name}");
    }
    assert_ne!(reply.header("x-fc-request-id"), Some("forged"));
}

#[tokio::test]
async fn limits_hold_at_their_edges() {
    let edge = Edge::with_trigger().await;
    let path = |bytes: usize| at(&format!("/{}", "a".repeat(bytes - PROXY.len() - 1)));
    edge.send_unsigned("GET", &path(4096), &[], "").await.json();
    refused(&edge.send_unsigned("GET", &path(4097), &[], "").await, 400, "InvalidArgument");
    let header = |bytes: usize| "v".repeat(bytes - "x-large".len());
    edge.send_unsigned("GET", PROXY, &[("x-large", &header(8192))], "").await.json();
    let reply = edge.send_unsigned("GET", PROXY, &[("x-large", &header(8193))], "").await;
    refused(&reply, 400, "InvalidArgument");

    let body = vec![b'x'; 32 * 1024 * 1024];
    edge.send_unsigned("POST", &at("/nothing"), &[], body.clone()).await.ok();
    let reply = edge.send_unsigned("POST", &at("/nothing"), &[], [&body[..], b"x"].concat()).await;
    refused(&reply, 400, "EntityTooLarge");
    let later = [("x-fc-invocation-type", "Async")];
    let reply = edge.send_unsigned("POST", PROXY, &later, body[..128 * 1024].to_vec()).await;
    assert_eq!(reply.status, 202);
    let reply = edge.send_unsigned("POST", PROXY, &later, body[..128 * 1024 + 1].to_vec()).await;
    refused(&reply, 400, "EntityTooLarge");
}

#[tokio::test]
async fn status_and_headers_of_the_function_pass() {
    let edge = Edge::with_trigger().await;
    let reply = edge.send_unsigned("GET", &at("/teapot"), &[], "").await;
    assert_eq!((reply.status, &reply.body[..]), (418, &b"short and stout"[..]));
    let many: Vec<_> = reply.headers.get_all("x-many").iter().map(|value| value.as_bytes()).collect();
    assert_eq!((many, reply.header("x-fc-error-type")), (vec![&b"a"[..], b"b"], None));
    let reply = edge.send_unsigned("GET", &at("/unavailable"), &[], "").await;
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "its own, not ours");
    let reply = edge.send_unsigned("HEAD", &at("/teapot"), &[], "").await;
    assert_eq!((reply.status, reply.body.len()), (418, 0));
    let reply = edge.send_unsigned("GET", &at("/nothing"), &[], "").await;
    assert_eq!((reply.status, reply.body.len()), (204, 0));
}

#[tokio::test]
async fn a_function_that_fails_before_it_answers_is_a_bad_gateway() {
    let edge = Edge::with_trigger().await;
    let reply = edge.send_unsigned("GET", &at("/fail"), &[], "").await;
    assert_eq!((reply.status, &reply.body[..]), (502, &br#"{"errorMessage":"boom"}"#[..]));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("x-fc-error-type"), Some("UnhandledInvocationError"));
    assert!(reply.header("x-fc-request-id").is_some());
    for path in ["/silent", "/large-headers", "/odd-status"] {
        refused(&edge.send_unsigned("GET", &at(path), &[], "").await, 502, "BadResponse");
    }
    let reply = edge.send_unsigned("HEAD", &at("/break"), &[], "").await;
    assert_eq!((reply.status, reply.header("x-fc-error-type")), (502, Some("FcCommonError")));
    refused(&edge.send_unsigned("GET", &at("/broken-platform"), &[], "").await, 500, "InternalServerError");
    edge.executor.set_slots(0);
    refused(&edge.send_unsigned("GET", PROXY, &[], "").await, 429, "ResourceExhausted");
}

#[tokio::test]
async fn the_log_comes_for_signed_callers_only() {
    let edge = Edge::with_trigger().await;
    let tail = [("x-fc-log-type", "Tail")];
    for path in ["/teapot", "/fail", "/nothing"] {
        let signed = edge.send("GET", &at(path), &tail, "").await;
        assert!(signed.header("x-fc-log-result").is_some(), "{path}");
        let unsigned = edge.send_unsigned("GET", &at(path), &tail, "").await;
        assert_eq!(unsigned.header("x-fc-log-result"), None, "{path}");
        assert_eq!((signed.status, signed.body), (unsigned.status, unsigned.body), "{path}");
    }
    refused(&edge.send("GET", &at("/break"), &tail, "").await, 502, "BadResponse");
    edge.put(FUNCTION, json!({"instanceConcurrency": 2})).await.ok();
    assert_eq!(edge.send("GET", &at("/teapot"), &tail, "").await.header("x-fc-log-result"), None);
}

#[tokio::test]
async fn a_call_can_be_accepted_now_and_made_later() {
    let edge = Edge::with_trigger().await;
    edge.put(CONFIG, json!({"statefulInvocation": true})).await.ok();
    let headers = [
        ("x-fc-invocation-type", "Async"),
        ("x-fc-async-delay", "5"),
        ("x-fc-stateful-async-invocation-id", "job"),
        ("x-own", "1"),
        ("host", "example.com"),
    ];
    let reply = edge.send_unsigned("PUT", &at("/a%20b?x=1"), &headers, "body").await;
    assert_eq!((reply.status, reply.header("content-type")), (202, None));
    assert_eq!(reply.header("x-fc-stateful-async-invocation-id"), Some("job"));
    assert_eq!(reply.header("x-fc-async-task-id"), Some("job"));
    assert!(edge.executor.started().is_empty());
    refused(
        &edge.send_unsigned("PUT", PROXY, &headers, "").await,
        409,
        "StatefulAsyncInvocationAlreadyExists",
    );

    let waiting = edge.get(&format!("{TASKS}/job")).await.json();
    assert_eq!((&waiting["status"], &waiting["invocationPayload"]), (&json!("Enqueued"), &json!("body")));
    edge.clock.advance(SECOND * 5);
    let done = edge.until_status("job", "Succeeded").await;
    let seen: Value = serde_json::from_str(done["returnPayload"].as_str().expect("a text")).expect("JSON");
    let wanted = json!({
        "method": "PUT", "path": "/a%20b", "query": "x=1", "basePath": PROXY, "host": "example.com",
        "headers": [["x-own", "1"], ["host", "example.com"]], "clientIp": null, "format": "Handler",
        "body": "body", "taskId": "job",
    });
    assert_eq!(seen, wanted);
    let listed = edge.get(&format!("{TASKS}?includePayload=true")).await.json();
    assert_eq!(listed["invocations"][0]["invocationPayload"], "body");
}

#[tokio::test]
async fn an_answer_of_500_or_above_fails_a_call_that_is_made_later() {
    let edge = Edge::with_trigger().await;
    edge.put(CONFIG, json!({"statefulInvocation": true, "maxAsyncRetryAttempts": 0})).await.ok();
    for (path, status) in [("/unavailable", "Failed"), ("/fail", "Failed"), ("/teapot", "Succeeded")] {
        let id = path.trim_start_matches('/');
        let headers = [("x-fc-invocation-type", "Async"), ("x-fc-async-task-id", id)];
        assert_eq!(edge.send_unsigned("GET", &at(path), &headers, "").await.status, 202);
        edge.until_status(id, status).await;
    }
}
