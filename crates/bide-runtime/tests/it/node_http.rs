//! HTTP calls of the Node runtime: request and response objects, streaming, the JSON event.

use std::sync::Arc;

use bide_runtime::{Cancel, FunctionErrorCause, FunctionErrorKind, HttpFormat, HttpRequest};

use crate::world::{
    World, check_that_a_slow_reader_holds_up_nobody, check_that_leaving_ends_the_instance, failure,
    http_request, json, log, post, spec, text,
};

#[tokio::test]
async fn a_handler_gets_request_and_response() {
    let world = World::new().await;
    let code = r#"
exports.handler = async (req, resp, context) => {
  let body = '';
  for await (const piece of req) body += piece;
  resp.setStatusCode(201);
  resp.setHeader('X-One', 1);
  resp.setHeader('Set-Cookie', ['a=1', 'b=2']);
  resp.setHeader('X-Gone', 'x');
  resp.deleteHeader('x-gone');
  resp.send(JSON.stringify({
    method: req.method, path: req.path, queries: req.queries, url: req.url, headers: req.headers,
    clientIP: req.clientIP, body, requestId: context.requestId,
  }));
};
"#;
    let spec = spec(world.node(code));
    let headers = [
        ("content-type", "text/plain"),
        ("x-many", "a"),
        ("x-many", "b"),
        ("cookie", "c=1"),
        ("cookie", "d=2"),
    ];
    let response = world.call_http(&spec, post("/caf%C3%A9?q=%20&many=1&many=2", &headers), "hello").await;
    assert_eq!((response.status(), response.header("x-one")), (201, "1"));
    let head = response.head.as_ref().unwrap();
    assert_eq!(head.headers.get_all("set-cookie").iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert!(!head.headers.contains_key("x-gone"));
    assert_eq!(
        response.json(),
        serde_json::json!({
            "method": "POST", "path": "/café", "queries": {"q": " ", "many": ["1", "2"]},
            "url": "/base/caf%C3%A9?q=%20&many=1&many=2",
            "headers": {"content-type": "text/plain", "x-many": "a, b", "cookie": "c=1; d=2"},
            "clientIP": "192.0.2.7", "body": "hello", "requestId": "req-1",
        })
    );
}

#[tokio::test]
async fn text_bytes_streams_and_later_answers_are_bodies() {
    let world = World::new().await;
    let code = r#"
const { Readable } = require('stream');
exports.handler = (req, resp, context) => {
  switch (req.path) {
    case '/text': return resp.send('text');
    case '/bytes': return resp.send(Buffer.from([104, 105]));
    case '/object': return resp.send({ a: 1 });
    case '/none': resp.setStatusCode(204); return resp.send();
    case '/stream': return resp.send(Readable.from(['one ', Buffer.from('two')]));
    case '/echo': return resp.send(req);
    case '/later': setTimeout(() => resp.send('later'), 5); return undefined;
    case '/twice': resp.send('first'); return resp.send('second');
  }
};
"#;
    let spec = spec(world.node(code));
    for (path, body) in [
        ("/text", "text"),
        ("/bytes", "hi"),
        ("/object", r#"{"a":1}"#),
        ("/none", ""),
        ("/stream", "one two"),
        ("/echo", "sent"),
        ("/later", "later"),
        ("/twice", "first"),
    ] {
        let response = world.call_http(&spec, post(path, &[]), "sent").await;
        assert_eq!(
            (response.status(), response.text()),
            (if path == "/none" { 204 } else { 200 }, body),
            "{path}"
        );
        let outcome = world.call_with(&spec, http_request(post(path, &[]), "sent"), Cancel::new()).await;
        assert_eq!(text(&outcome), body, "{path}");
    }
}

#[tokio::test]
async fn what_goes_wrong_before_the_head_is_an_error_without_a_response() {
    let world = World::new().await;
    for (line, error_type, message) in [
        ("throw new TypeError('boom')", "TypeError", "boom"),
        ("return Promise.reject(new Error('rejected'))", "Error", "rejected"),
        ("resp.setStatusCode(600)", "RangeError", "none of 200 to 599"),
        ("resp.send(require('fs').createReadStream('/no/such'))", "Error", "ENOENT"),
        ("resp.send(require('stream').Readable.from([{}]))", "TypeError", "neither text nor bytes"),
        ("resp.setHeader('a b', 'c'); resp.send()", "BadResponse", "'a b' cannot be the name"),
        (
            "resp.setHeader('a', 'b'.repeat(9000)); resp.send('x')",
            "BadResponse",
            "more than the 8192 allowed",
        ),
        ("resp.send(Buffer.alloc(33554433))", "RangeError", "33554432"),
    ] {
        let spec = spec(world.node(&format!("exports.handler = (req, resp) => {{ {line} }};")));
        let response = world.call_http(&spec, post("/", &[]), "").await;
        assert!(response.head.is_none() && response.body.is_empty(), "{line}");
        let failed = failure(&response.outcome);
        assert_eq!(
            (failed.kind, failed.cause),
            (FunctionErrorKind::Unhandled, FunctionErrorCause::Raised),
            "{line}"
        );
        assert_eq!(failed.body["errorType"], error_type, "{line}");
        assert!(failed.body["errorMessage"].as_str().unwrap().contains(message), "{line}: {}", failed.body);
        let instance = response.outcome.instance;
        assert_eq!(world.call_http(&spec, post("/", &[]), "").await.outcome.instance, instance, "{line}");
    }
}

#[tokio::test]
async fn a_failure_after_the_head_leaves_the_response_broken_and_the_instance_whole() {
    let world = World::new().await;
    let code = r#"
const { Readable } = require('stream');
exports.handler = (req, resp) => {
  if (req.path === '/fine') return resp.send('fine');
  resp.send(Readable.from((async function* () {
    yield 'half';
    if (req.path === '/stream') throw new Error('late');
    for (;;) yield 'more';
  })()));
  if (req.path === '/handler') return new Promise((resolve, reject) => setTimeout(() => reject(new Error('late')), 20));
};
"#;
    let spec = spec(world.node(code));
    for path in ["/stream", "/handler"] {
        let response = world.call_http(&spec, post(path, &[]), "").await;
        assert!(response.status() == 200 && response.body.starts_with(b"half"), "{path}");
        assert_eq!(failure(&response.outcome).body["errorMessage"], "late", "{path}");
        let fine = world.call_http(&spec, post("/fine", &[]), "").await;
        assert_eq!((fine.text(), &fine.outcome.instance), ("fine", &response.outcome.instance), "{path}");
    }
}

#[tokio::test]
async fn a_slow_reader_holds_up_its_own_call_only() {
    let world = Arc::new(World::new().await);
    let code = r#"
const { Readable } = require('stream');
exports.handler = (req, resp) => resp.send(Readable.from((function* () {
  for (let count = Number(req.queries.count); count > 0; count--) yield Buffer.alloc(100000, 'x');
})()));
"#;
    let mut function = world.node(code);
    function.instance_concurrency = 4;
    let (call, other) = (post("/?count=100", &[]), post("/?count=20", &[]));
    check_that_a_slow_reader_holds_up_nobody(&world, spec(function), call, other).await;
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_attempt_and_the_instance() {
    let world = Arc::new(World::new().await);
    let spec = spec(world.node("exports.handler = (req, resp) => resp.send(Buffer.alloc(20000000));"));
    check_that_leaving_ends_the_instance(&world, spec, post("/", &[]), post("/", &[])).await;
}

#[tokio::test]
async fn as_an_event_a_call_is_json_and_a_response_object_answers_it() {
    let world = World::new().await;
    let code = r#"
exports.handler = async (event, context) => {
  const call = JSON.parse(event);
  if (call.rawPath === '/plain') return { page: call.queryParameters.page };
  return { statusCode: 404, headers: { 'X-A': 'b' }, body: 'no ' + call.requestContext.http.path };
};
"#;
    let spec = spec(world.node(code));
    let event = |target: &str| HttpRequest { format: HttpFormat::Event, ..post(target, &[]) };
    let response = world.call_http(&spec, event("/a%20b"), "").await;
    assert_eq!((response.status(), response.header("x-a"), response.text()), (404, "b", "no /a b"));
    let outcome = world.call_with(&spec, http_request(event("/plain?page=3"), ""), Cancel::new()).await;
    assert_eq!(json(&outcome), serde_json::json!({"page": "3"}));
}

#[tokio::test]
async fn es_modules_are_handlers_by_extension_and_by_package() {
    let world = World::new().await;
    let code = "export async function handler(req, resp, context) { resp.send('es ' + req.path); }\n";
    for files in [
        vec![("index.mjs", code, 0o644)],
        vec![("index.js", code, 0o644), ("package.json", r#"{"type": "module"}"#, 0o644)],
        vec![(
            "index.mjs",
            "const name = await Promise.resolve('es ');\nexport const handler = (req, resp) => resp.send(name + req.path);\n",
            0o644,
        )],
    ] {
        let spec = spec(world.function("nodejs20", "index.handler", &files));
        assert_eq!(world.call_http(&spec, post("/x", &[]), "").await.text(), "es /x");
    }
}

#[tokio::test]
async fn loggers_have_levels_and_know_their_request() {
    let world = World::new().await;
    let code = r#"
exports.handler = async (event, context) => {
  context.logger.debug('shown', 1);
  context.logger.setLogLevel('warn');
  context.logger.info('hidden');
  console.log('hidden too');
  context.logger.error('an error');
  context.logger.setLogLevel('loud');
};
"#;
    let outcome = world.call(&spec(world.node(code)), "").await;
    assert_eq!(failure(&outcome).body["errorMessage"], "no log level is called 'loud'");
    let tail = log(&outcome);
    assert!(
        tail.contains("Z req-1 [DEBUG] shown 1\n") && tail.contains("Z req-1 [ERROR] an error\n"),
        "{tail}"
    );
    assert!(!tail.contains("hidden"), "{tail}");
}
