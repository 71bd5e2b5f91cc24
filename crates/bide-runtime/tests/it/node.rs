//! The Node runtime: handler shapes, errors, logs.

use std::sync::Arc;

use bide_runtime::{Cancel, FunctionErrorCause, FunctionErrorKind};

use crate::world::{World, failure, json, log, request, spec, text};

#[tokio::test]
async fn results_come_by_callback_or_by_promise() {
    let world = World::new().await;
    for (code, expected) in [
        ("(event, context, callback) => callback(null, event)", "héllo"),
        ("(event, context, callback) => callback(null, Buffer.isBuffer(event))", "true"),
        ("(event, context, callback) => setTimeout(() => callback(null, {a: 1}), 1)", r#"{"a":1}"#),
        ("async (event) => 'async ' + event", "async héllo"),
        ("async () => ({b: [1, null]})", r#"{"b":[1,null]}"#),
        ("async () => null", "null"),
        ("(e, c, callback) => { callback(null, 'first'); callback(null, 'second'); }", "first"),
    ] {
        let spec = spec(world.node(&format!("exports.handler = {code};\n")));
        assert_eq!(text(&world.call(&spec, "héllo").await), expected, "{code}");
    }
}

#[tokio::test]
async fn an_error_passed_to_the_callback_is_handled_everything_else_is_not() {
    let world = World::new().await;
    use FunctionErrorKind::{Handled, Unhandled};
    for (code, kind, message, replaced) in [
        ("(e, c, callback) => callback(new TypeError('boom'))", Handled, "boom", false),
        ("(e, c, callback) => callback('text')", Handled, "text", false),
        ("() => { throw new TypeError('boom'); }", Unhandled, "boom", false),
        ("async () => { throw new TypeError('boom'); }", Unhandled, "boom", false),
        ("(e, c, cb) => { setTimeout(() => { throw new TypeError('boom'); }, 1); }", Unhandled, "boom", true),
        ("(e, c, cb) => { Promise.reject(new TypeError('boom')); }", Unhandled, "boom", true),
    ] {
        let spec = spec(world.node(&format!("exports.handler = {code};\n")));
        let outcome = world.call(&spec, "").await;
        let failed = failure(&outcome);
        assert_eq!((failed.kind, failed.cause), (kind, FunctionErrorCause::Raised), "{code}");
        assert_eq!(failed.body["errorMessage"], message, "{code}");
        if message == "boom" {
            assert_eq!(failed.body["errorType"], "TypeError", "{code}");
            let first = failed.body["stackTrace"][0].as_str().unwrap();
            assert!(first.starts_with("at ") && first.contains("/code/index.js:1"), "{first}");
        }
        assert_eq!(world.call(&spec, "").await.instance != outcome.instance, replaced, "{code}");
    }
}

#[tokio::test]
async fn faults_of_loading_have_their_own_types() {
    let world = World::new().await;
    for (handler, code, error_type) in [
        ("index.handler", "exports.handler = (", "UserCodeSyntaxError"),
        ("index.handler", "require('no-such-module')", "ImportModuleError"),
        ("other.handler", "", "ImportModuleError"),
        ("index.handler", "exports.other = 1", "HandlerNotFound"),
        ("handler", "", "HandlerNotFound"),
        ("index.handler", "throw new RangeError('at import')", "RangeError"),
    ] {
        let function = world.function("nodejs18", handler, &[("index.js", code, 0o644)]);
        let failed = failure(&world.call(&spec(function), "").await);
        assert_eq!(failed.cause, FunctionErrorCause::StartFailed, "{code}");
        assert_eq!(failed.body["errorType"], error_type, "{code}");
    }
}

#[tokio::test]
async fn modules_and_directories_are_found() {
    let world = World::new().await;
    let module = "export const run = async () => 'found';\n";
    let script = "exports.run = async () => 'found';\n";
    for (handler, file, code) in [
        ("lib/deep/mod.run", "lib/deep/mod.js", script),
        ("lib.deep.mod.run", "lib/deep/mod.js", script),
        ("mod.run", "mod.mjs", module),
    ] {
        let spec = spec(world.function("nodejs20", handler, &[(file, code, 0o644)]));
        assert_eq!(text(&world.call(&spec, "").await), "found", "{handler} in {file}");
    }
}

#[tokio::test]
async fn modules_of_layers_are_found_after_those_of_the_package() {
    let world = World::new().await;
    let code = "exports.handler = async () => require('both') + require('plain');\n";
    let files =
        [("index.js", code, 0o644), ("node_modules/both/index.js", "module.exports = 'code '\n", 0o644)];
    let mut function = world.function("nodejs20", "index.handler", &files);
    function.layers = vec![world.layer(&[
        ("nodejs/node_modules/both/index.js", "module.exports = 'layer '\n", 0o644),
        ("nodejs/node_modules/plain.js", "module.exports = 'plain'\n", 0o644),
    ])];
    assert_eq!(text(&world.call(&spec(function), "").await), "code plain");
}

#[tokio::test]
async fn the_context_has_every_documented_field() {
    let world = World::new().await;
    let code = r"
exports.handler = async (event, c) => [c.requestId, c.credentials.accessKeyId, c.credentials.accessKeySecret,
  c.credentials.securityToken, c.function.name, c.function.handler, c.function.memory, c.function.timeout,
  c.service.name, c.service.logProject, c.service.logStore, c.service.qualifier, c.service.versionId, c.region,
  c.accountId, c.retryCount, c.tracing.openTracingSpanContext, c.tracing.openTracingSpanBaggages,
  c.tracing.jaegerEndpoint, typeof c.logger.info];
";
    let spec = spec(world.node(code));
    let mut call = request("");
    call.retry_count = 3;
    call.tracing.span_baggages = Some("eyJhIjoiYiJ9".to_owned());
    let outcome = world.call_with(&spec, call, Cancel::new()).await;
    assert_eq!(
        json(&outcome),
        serde_json::json!([
            "req-1", "", "", "", "fun", "index.handler", 512, 30, "svc", "", "", "LATEST", "", "local", "10001", 3, "",
            {"a": "b"}, "", "function"
        ])
    );
}

#[tokio::test]
async fn console_lines_carry_time_request_and_level() {
    let world = World::new().await;
    let code = "exports.handler = async (event) => { console.log('a %d', 1); console.error({b: 2}); };\n";
    let outcome = world.call(&spec(world.node(code)), "").await;
    let tail = log(&outcome);
    assert!(tail.contains("Z req-1 [INFO] a 1\n") && tail.contains("Z req-1 [ERROR] { b: 2 }\n"), "{tail}");
    assert_eq!(text(&outcome), "");
}

#[tokio::test]
async fn a_callback_that_never_comes_runs_into_the_timeout_and_an_exit_is_noticed() {
    let world = World::new().await;
    let mut function = world.node("exports.handler = (event, context, callback) => {};\n");
    function.timeout_seconds = 1;
    assert_eq!(failure(&world.call(&spec(function), "").await).cause, FunctionErrorCause::Timeout);
    let exits = spec(world.node("exports.handler = () => { console.log('bye'); process.exit(0); };\n"));
    let outcome = world.call(&exits, "").await;
    assert_eq!(failure(&outcome).cause, FunctionErrorCause::ProcessExited);
    assert!(log(&outcome).contains("bye\n"));
}

#[tokio::test]
async fn an_initializer_runs_once() {
    let world = World::new().await;
    let code = "let n = 0; exports.init = (context, callback) => { n += 1; callback(null, ''); };\n\
                exports.handler = async () => n;\n";
    let mut function = world.node(code);
    function.initializer = Some("index.init".to_owned());
    let spec = spec(function);
    assert_eq!(text(&world.call(&spec, "").await), "1");
    assert_eq!(text(&world.call(&spec, "").await), "1");
}

#[tokio::test]
async fn an_instance_with_concurrency_overlaps_calls() {
    let world = Arc::new(World::new().await);
    let code = r"
const waiting = [];
exports.handler = (event, context, callback) => {
  waiting.push(() => callback(null, context.requestId + event));
  if (waiting.length === 3) waiting.splice(0).forEach((go) => go());
};
";
    let mut function = world.node(code);
    function.instance_concurrency = 3;
    let spec = spec(function);
    let calls = ["a", "b", "c"].map(|event| {
        let (world, spec) = (Arc::clone(&world), Arc::clone(&spec));
        tokio::spawn(async move { text(&world.call(&spec, event).await).to_owned() })
    });
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await.unwrap());
    }
    assert_eq!(results, ["req-1a", "req-1b", "req-1c"]);
}
