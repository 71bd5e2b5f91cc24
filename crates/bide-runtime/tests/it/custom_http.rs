//! HTTP calls of custom runtimes: requests are replayed as they came, responses are passed on as they are made.

use std::sync::Arc;

use bide_runtime::{AttemptResult, Cancel, Executor as _, FunctionErrorCause};

use crate::world::{
    World, check_that_leaving_ends_the_instance, failure, http_request, post, spec, streamed, text, until,
};

/// Answers by the path that it is called with; `/show` tells what it was given.
const SERVER: &str = r#"#!/usr/bin/env python3
import http.server, json, os, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.split("?")[0]
        if path == "/chunks":
            self.send_response(200)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for number in range(int(self.path.split("?")[1])):
                self.wfile.write(b"186a0\r\n" + b"x" * 100000 + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
            return
        if path == "/held":
            self.send_response(200)
            self.send_header("content-length", "4")
            self.end_headers()
            self.wfile.flush()
            while not os.path.exists(self.path.split("?")[1]):
                time.sleep(0.01)
            self.wfile.write(b"done")
            return
        if path == "/broken":
            self.send_response(200)
            self.send_header("content-length", "100")
            self.end_headers()
            self.wfile.write(b"half")
            self.wfile.flush()
            self.close_connection = True
            return
        status, extra, data = 200, [], b""
        if path == "/marked":
            extra, data = [("x-fc-status", "404")], b'{"errorMessage": "mine"}'
        elif path.startswith("/status/"):
            status, data = int(path[8:]), b"status"
        elif path == "/long":
            extra = [("x-long", "v" * 9000)]
        else:
            headers = [[k.lower(), v] for k, v in self.headers.items()]
            extra = [("set-cookie", "a=1"), ("set-cookie", "b=2")]
            data = json.dumps({"method": self.command, "path": self.path, "headers": headers, "body": body.decode()}).encode()
        self.send_response(status)
        for name, value in extra:
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = answer
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["FC_SERVER_PORT"])), Handler).serve_forever()
"#;

#[tokio::test]
async fn a_call_is_replayed_as_it_came_and_its_response_passed_on() {
    let world = World::new().await;
    let mut function = world.function("custom", "x", &[("bootstrap", SERVER, 0o755)]);
    function.pre_stop =
        Some(bide_types::resource::LifecycleHook { handler: "stop.it".to_owned(), timeout_seconds: 1 });
    let spec = spec(function);
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let headers = [
            ("x-many", "a"),
            ("x-many", "b"),
            ("content-length", "99"),
            ("transfer-encoding", "chunked"),
            ("expect", "100-continue"),
        ];
        let mut http = post("/a%20b?c=%20&d", &headers);
        http.method = method.parse().unwrap();
        let response = world.call_http(&spec, http, "hello").await;
        let cookies: Vec<_> = response.head.as_ref().unwrap().headers.get_all("set-cookie").iter().collect();
        assert_eq!((response.status(), cookies.len()), (200, 2));
        let shown = response.json();
        assert_eq!(
            (&shown["method"], &shown["path"], &shown["body"]),
            (&method.into(), &"/a%20b?c=%20&d".into(), &"hello".into())
        );
        let headers: Vec<(&str, &str)> = shown["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
            .collect();
        for expected in [
            ("x-many", "a"),
            ("x-many", "b"),
            ("host", "fun.example:81"),
            ("content-length", "5"),
            ("x-fc-control-path", "/http-invoke"),
            ("x-fc-base-path", "/base"),
            ("x-fc-client-ip", "192.0.2.7"),
            ("x-fc-request-id", "req-1"),
            ("x-fc-function-timeout", "30"),
            ("x-fc-retry-count", "0"),
            ("x-fc-instance-lifecycle-pre-stop-handler", "stop.it"),
            ("x-fc-instance-lifecycle-pre-freeze-handler", ""),
        ] {
            let same: Vec<_> = headers.iter().filter(|(name, _)| *name == expected.0).collect();
            assert!(same.contains(&&expected), "{expected:?}: {same:?}");
            assert_eq!(same.len(), if expected.0 == "x-many" { 2 } else { 1 }, "{same:?}");
        }
        assert!(
            headers.iter().all(|(name, _)| *name != "transfer-encoding" && *name != "expect"),
            "{headers:?}"
        );
    }
}

#[tokio::test]
async fn a_head_request_has_no_body() {
    let world = World::new().await;
    let spec = spec(world.function("custom", "x", &[("bootstrap", SERVER, 0o755)]));
    for _ in 0..2 {
        let mut http = post("/", &[]);
        http.method = http::Method::HEAD;
        let response = world.call_http(&spec, http, "").await;
        assert!(response.header("content-length").parse::<u32>().unwrap() > 0);
        assert_eq!(response.text(), "");
    }
}

#[tokio::test]
async fn every_status_is_a_response_to_a_caller_and_500_an_error_without_one() {
    let world = World::new().await;
    let spec = spec(world.function("custom", "x", &[("bootstrap", SERVER, 0o755)]));
    let first = world.call_http(&spec, post("/status/200", &[]), "").await.outcome.instance;
    for status in [404, 500, 503] {
        let response = world.call_http(&spec, post(&format!("/status/{status}"), &[]), "").await;
        assert_eq!((response.status(), response.text()), (status, "status"));
        assert_eq!(response.outcome.instance, first);
        let request = http_request(post(&format!("/status/{status}"), &[]), "");
        let outcome = world.call_with(&spec, request, Cancel::new()).await;
        if status < 500 {
            assert_eq!(text(&outcome), "status");
        } else {
            assert_eq!(failure(&outcome).body["errorMessage"], "status");
        }
    }
    for request in [
        world.call_http(&spec, post("/marked", &[]), "").await.outcome,
        world.call_with(&spec, http_request(post("/marked", &[]), ""), Cancel::new()).await,
    ] {
        assert_eq!(failure(&request).body, serde_json::json!({"errorMessage": "mine"}));
    }
    let long = world.call_http(&spec, post("/long", &[]), "").await;
    assert!(long.head.is_none());
    assert_eq!(failure(&long.outcome).body["errorType"], "BadResponse");
}

#[tokio::test]
async fn a_body_that_breaks_off_or_is_too_long_is_a_function_error() {
    let world = World::new().await;
    let spec = spec(world.function("custom", "x", &[("bootstrap", SERVER, 0o755)]));
    let broken = world.call_http(&spec, post("/broken", &[]), "").await;
    assert_eq!((broken.status(), &broken.body[..]), (200, &b"half"[..]));
    assert_eq!(failure(&broken.outcome).cause, FunctionErrorCause::ProcessExited);
    assert_eq!(world.call_http(&spec, post("/chunks?335", &[]), "").await.body.len(), 33_500_000);
    let long = world.call_http(&spec, post("/chunks?336", &[]), "").await;
    assert!(failure(&long.outcome).body["errorMessage"].as_str().unwrap().contains("33554432"));
    assert_ne!(world.call_http(&spec, post("/", &[]), "").await.outcome.instance, long.outcome.instance);
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_attempt_and_the_instance() {
    let world = Arc::new(World::new().await);
    let spec = spec(world.function("custom", "x", &[("bootstrap", SERVER, 0o755)]));
    check_that_leaving_ends_the_instance(&world, spec, post("/chunks?300", &[]), post("/", &[])).await;
}

#[tokio::test]
async fn a_caller_that_leaves_harms_no_request_beside_its_own() {
    let world = Arc::new(World::new().await);
    let mut function = world.function("custom", "x", &[("bootstrap", SERVER, 0o755)]);
    function.instance_concurrency = 2;
    let spec = spec(function);
    let directory = tempfile::tempdir().unwrap();
    let released = directory.path().join("released");
    let (request, mut kept) = streamed(post(&format!("/held?{}", released.display()), &[]));
    let stays = world.call_aside(&spec, request);
    (&mut kept.head).await.unwrap();
    let (request, mut dropped) = streamed(post("/chunks?300", &[]));
    let leaves = world.call_aside(&spec, request);
    (&mut dropped.head).await.unwrap();
    drop(dropped);
    let left = leaves.await.unwrap();
    assert_eq!(left.result, AttemptResult::Stopped);
    let other = world.call_http(&spec, post("/", &[]), "").await.outcome.instance;
    assert_ne!(other, left.instance, "it takes nothing new");
    std::fs::write(&released, "").unwrap();
    assert_eq!(kept.body.recv().await.as_deref(), Some(&b"done"[..]));
    let stayed = stays.await.unwrap();
    assert_eq!((text(&stayed), &stayed.instance), ("", &left.instance));
    until(|| world.pools.stats().instances == 1).await;
}
