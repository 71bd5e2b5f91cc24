//! HTTP calls of the Python runtime: WSGI, streaming, the JSON event.

use std::sync::Arc;

use bide_runtime::{AttemptResult, Cancel, FunctionErrorCause, HttpFormat, HttpRequest};
use bytes::Bytes;

use crate::world::{
    World, check_that_a_slow_reader_holds_up_nobody, check_that_leaving_ends_the_instance, failure,
    http_request, json, log, post, spec, streamed, text,
};

const ECHO: &str = r#"
import json
def handler(environ, start_response):
    shown = {k: v for k, v in environ.items() if isinstance(v, (str, bool, tuple))}
    shown["body"] = environ["wsgi.input"].read().decode()
    shown["request_id"] = environ["fc.context"].request_id
    start_response("201 Created", [("X-One", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [json.dumps(shown).encode()]
"#;

#[tokio::test]
async fn a_wsgi_handler_gets_the_whole_environ_and_its_response_is_passed_on() {
    let world = World::new().await;
    let spec = spec(world.python(ECHO));
    let headers = [
        ("content-type", "text/plain"),
        ("x-many", "a"),
        ("x-many", "b"),
        ("cookie", "c=1"),
        ("cookie", "d=2"),
        ("content-length", "999"),
    ];
    let mut http = post("/caf%C3%A9/a%2", &headers);
    http.query = Some("q=%20&z".to_owned());
    let response = world.call_http(&spec, http, "hello").await;
    assert_eq!(response.status(), 201);
    assert_eq!(response.header("x-one"), "1");
    let cookies: Vec<_> = response.head.as_ref().unwrap().headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    let environ = response.json();
    for (name, value) in [
        ("REQUEST_METHOD", "POST"),
        ("SCRIPT_NAME", "/base"),
        ("PATH_INFO", "/caf\u{c3}\u{a9}/a%2"),
        ("QUERY_STRING", "q=%20&z"),
        ("CONTENT_TYPE", "text/plain"),
        ("CONTENT_LENGTH", "5"),
        ("SERVER_NAME", "fun.example"),
        ("SERVER_PORT", "81"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("REMOTE_ADDR", "192.0.2.7"),
        ("HTTP_X_MANY", "a,b"),
        ("HTTP_COOKIE", "c=1; d=2"),
        ("wsgi.url_scheme", "http"),
        ("fc.request_uri", "/base/caf%C3%A9/a%2?q=%20&z"),
        ("body", "hello"),
        ("request_id", "req-1"),
    ] {
        assert_eq!(environ[name], value, "{name}");
    }
    assert_eq!(environ["wsgi.version"], serde_json::json!([1, 0]));
    assert_eq!(environ["wsgi.multithread"], false);
}

#[tokio::test]
async fn an_application_object_is_a_handler() {
    let world = World::new().await;
    let code = r#"
class App:
    def __call__(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [environ["PATH_INFO"].encode()]
app = App()
"#;
    let function = world.function("python3.10", "index.app", &[("index.py", code, 0o644)]);
    assert_eq!(world.call_http(&spec(function), post("/x", &[]), "").await.text(), "/x");
}

#[tokio::test]
async fn write_and_iterables_and_close_follow_the_specification() {
    let world = World::new().await;
    let code = r#"
closed = 0
class Pieces:
    def __iter__(self):
        yield b""
        yield b"two"
    def close(self):
        global closed
        closed += 1
def handler(environ, start_response):
    if environ["PATH_INFO"] == "/closed":
        start_response("200 OK", [])
        return [str(closed).encode()]
    if environ["PATH_INFO"] == "/empty":
        start_response("204 No Content", [])
        return []
    if environ["PATH_INFO"] == "/again":
        start_response("200 OK", [])
        try:
            1 / 0
        except ZeroDivisionError:
            import sys
            start_response("500 Oops", [], sys.exc_info())
        return [b"sorry"]
    write = start_response("200 OK", [])
    write(b"one ")
    return Pieces()
"#;
    let spec = spec(world.python(code));
    assert_eq!(world.call_http(&spec, post("/", &[]), "").await.text(), "one two");
    assert_eq!(world.call_http(&spec, post("/closed", &[]), "").await.text(), "1");
    let empty = world.call_http(&spec, post("/empty", &[]), "").await;
    assert_eq!((empty.status(), empty.text()), (204, ""));
    let again = world.call_http(&spec, post("/again", &[]), "").await;
    assert_eq!((again.status(), again.text()), (500, "sorry"));
}

#[tokio::test]
async fn what_goes_wrong_before_the_head_is_an_error_without_a_response() {
    let world = World::new().await;
    for (line, error_type, message) in [
        ("raise ValueError('boom')", "ValueError", "boom"),
        ("return []", "AssertionError", "did not call start_response"),
        ("start_response('OK', []); return []", "ValueError", "not one like '200 OK'"),
        ("start_response('200 OK', []); return ['text']", "TypeError", "is str, not bytes"),
        ("start_response('200 OK', [('a b', 'c')]); return []", "BadResponse", "'a b' cannot be the name"),
        (
            "start_response('200 OK', [('a', 'b\\r\\nc: d')]); return []",
            "BadResponse",
            "header 'a' has characters",
        ),
        (
            "start_response('200 OK', [('a', 'b' * 9000)]); return []",
            "BadResponse",
            "more than the 8192 allowed",
        ),
        ("start_response('100 No', []); return [b'x' * 300000]", "BadResponse", "not one of 200 to 599"),
        (
            "start_response('200 OK', [('x-fc-status', '404')]); return [b'{\"errorMessage\": \"marked\"}']",
            "null",
            "marked",
        ),
    ] {
        let spec = spec(world.python(&format!("def handler(environ, start_response):\n    {line}\n")));
        let response = world.call_http(&spec, post("/", &[]), "").await;
        assert!(response.head.is_none() && response.body.is_empty(), "{line}");
        let failed = failure(&response.outcome);
        assert_eq!(failed.cause, FunctionErrorCause::Raised, "{line}");
        assert_eq!(failed.body["errorType"].as_str().unwrap_or("null"), error_type, "{line}");
        assert!(failed.body["errorMessage"].as_str().unwrap().contains(message), "{line}: {}", failed.body);
        let instance = response.outcome.instance;
        assert_eq!(world.call_http(&spec, post("/", &[]), "").await.outcome.instance, instance, "{line}");
    }
}

#[tokio::test]
async fn a_failure_after_the_head_leaves_the_response_broken() {
    let world = World::new().await;
    let code = r#"
def handler(environ, start_response):
    start_response("200 OK", [])
    yield b"half"
    raise ValueError("late")
"#;
    let response = world.call_http(&spec(world.python(code)), post("/", &[]), "").await;
    assert_eq!((response.status(), &response.body[..]), (200, &b"half"[..]));
    assert_eq!(failure(&response.outcome).body["errorMessage"], "late");
}

const FILL: &str = r#"
import os
def handler(environ, start_response):
    start_response("200 OK", [])
    count = int(environ["QUERY_STRING"])
    for number in range(count):
        yield b"x" * 100_000
        with open(os.environ["TMPDIR"] + "/made", "w") as file:
            file.write(str(number + 1))
"#;

#[tokio::test]
async fn the_whole_32_megabytes_pass_and_not_a_byte_more() {
    let world = World::new().await;
    let spec = spec(world.python(FILL));
    let response = world.call_http(&spec, post("/?335", &[]), "").await;
    assert_eq!(response.outcome.result, AttemptResult::Returned(Bytes::new()));
    assert_eq!(response.body.len(), 33_500_000);
    let response = world.call_http(&spec, post("/?336", &[]), "").await;
    assert!(failure(&response.outcome).body["errorMessage"].as_str().unwrap().contains("33554432"));
    let whole = world.call_with(&spec, http_request(post("/?335", &[]), ""), Cancel::new()).await;
    assert!(matches!(whole.result, AttemptResult::Returned(body) if body.len() == 33_500_000));
}

#[tokio::test]
async fn pieces_arrive_while_the_handler_still_runs() {
    let world = Arc::new(World::new().await);
    let code = r#"
import os, time
def handler(environ, start_response):
    start_response("200 OK", [])
    yield b"first"
    while not os.path.exists("/tmp/" + environ["QUERY_STRING"]):
        time.sleep(0.005)
    yield b"second"
"#;
    let spec = spec(world.python(code));
    let flag = tempfile::Builder::new().prefix("bide-test").tempfile_in("/tmp").unwrap();
    let name = format!("{}-go", flag.path().file_name().unwrap().to_str().unwrap());
    let (request, mut stream) = streamed(post(&format!("/?{name}"), &[]));
    let running = world.call_aside(&spec, request);
    assert_eq!((&mut stream.head).await.unwrap().status, 200);
    assert_eq!(stream.body.recv().await.unwrap(), "first");
    let go = std::path::Path::new("/tmp").join(name);
    std::fs::write(&go, "").unwrap();
    assert_eq!(stream.body.recv().await.unwrap(), "second");
    assert_eq!(text(&running.await.unwrap()), "");
    std::fs::remove_file(go).unwrap();
}

#[tokio::test]
async fn a_slow_reader_holds_up_its_own_call_only() {
    for (concurrency, with_hook) in [(1, false), (1, true), (4, false)] {
        let world = Arc::new(World::new().await);
        let mut function = world.python(FILL);
        function.instance_concurrency = concurrency;
        if with_hook {
            function.pre_stop = Some(bide_types::resource::LifecycleHook {
                handler: "index.stop".to_owned(),
                timeout_seconds: 1,
            });
        }
        let (call, other) = (post("/?100", &[]), post("/?20", &[]));
        check_that_a_slow_reader_holds_up_nobody(&world, spec(function), call, other).await;
    }
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_attempt_and_the_instance() {
    let world = Arc::new(World::new().await);
    let spec = spec(world.python(FILL));
    check_that_leaving_ends_the_instance(&world, spec, post("/?200", &[]), post("/?1", &[])).await;
}

#[tokio::test]
async fn an_asynchronous_call_has_the_body_as_value_and_500_as_error() {
    let world = World::new().await;
    let code = r#"
def handler(environ, start_response):
    status = environ["PATH_INFO"][1:]
    start_response(status + " Whatever", [])
    return [b"body of ", status.encode()]
"#;
    let spec = spec(world.python(code));
    for status in ["200", "404"] {
        let request = http_request(post(&format!("/{status}"), &[]), "");
        let outcome = world.call_with(&spec, request, Cancel::new()).await;
        assert_eq!(text(&outcome), format!("body of {status}"));
    }
    let outcome = world.call_with(&spec, http_request(post("/503", &[]), ""), Cancel::new()).await;
    assert_eq!(failure(&outcome).body["errorMessage"], "body of 503");
    let streamed = world.call_http(&spec, post("/503", &[]), "").await;
    assert_eq!((streamed.status(), streamed.text()), (503, "body of 503"));
}

#[tokio::test]
async fn as_an_event_a_call_is_json_and_a_response_object_answers_it() {
    let world = World::new().await;
    let code = r#"
import json
def handler(event, context):
    call = json.loads(event)
    if call["rawPath"] == "/plain":
        return {"page": call["queryParameters"]["page"]}
    if call["rawPath"] == "/wrong":
        return {"statusCode": 200, "headers": "x"}
    return {"statusCode": 202, "headers": {"X-A": "b"}, "isBase64Encoded": call["isBase64Encoded"], "body": call["body"]}
"#;
    let spec = spec(world.python(code));
    let event = |target: &str| HttpRequest { format: HttpFormat::Event, ..post(target, &[]) };
    let response = world.call_http(&spec, event("/"), &b"\xff\x00"[..]).await;
    assert_eq!((response.status(), response.header("x-a"), &response.body[..]), (202, "b", &b"\xff\x00"[..]));
    let plain = world.call_http(&spec, event("/plain?page=2"), "").await;
    assert_eq!((plain.status(), plain.header("content-type")), (200, "application/json"));
    assert_eq!(plain.json(), serde_json::json!({"page": "2"}));
    let wrong = failure(&world.call_http(&spec, event("/wrong"), "").await.outcome);
    assert_eq!(wrong.body["errorType"], "BadResponse");
    let outcome = world.call_with(&spec, http_request(event("/plain?page=3"), ""), Cancel::new()).await;
    assert_eq!(json(&outcome), serde_json::json!({"page": "3"}));
}

#[tokio::test]
async fn a_logger_of_the_context_knows_its_request_in_every_thread() {
    let world = World::new().await;
    let code = r#"
import threading
def handler(event, context):
    logger = context.logger
    logger.setLevel("INFO")
    thread = threading.Thread(target=lambda: (logger.info("from %s", "elsewhere"), logger.debug("hidden")))
    thread.start()
    thread.join()
"#;
    let outcome = world.call(&spec(world.python(code)), "").await;
    assert!(log(&outcome).contains("Z req-1 [INFO] from elsewhere\n"), "{}", log(&outcome));
    assert!(!log(&outcome).contains("hidden"), "{}", log(&outcome));
}
