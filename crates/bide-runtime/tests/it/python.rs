//! The Python runtime: handler shapes, errors, the environment that user code sees.

use std::sync::Arc;

use bide_runtime::{AttemptResult, Cancel, FunctionErrorCause, FunctionErrorKind};
use bide_types::TaskId;

use crate::world::{World, failure, json, log, request, spec, text};

#[tokio::test]
async fn the_event_is_bytes_and_return_values_follow_their_type() {
    let world = World::new().await;
    for (expression, expected) in [
        ("event", "héllo"),
        ("type(event).__name__", "bytes"),
        ("'text: ' + event.decode()", "text: héllo"),
        ("bytearray(b'ba')", "ba"),
        ("{'a': [1, None, True]}", r#"{"a": [1, null, true]}"#),
        ("None", "null"),
        ("7", "7"),
    ] {
        let spec = spec(world.python(&format!("def handler(event, context):\n    return {expression}\n")));
        assert_eq!(text(&world.call(&spec, "héllo").await), expected, "{expression}");
    }
}

#[tokio::test]
async fn a_raised_error_is_reported_with_its_stack_and_the_instance_lives_on() {
    let world = World::new().await;
    let code = "def handler(event, context):\n    deeper()\n\ndef deeper():\n    raise ValueError('boom')\n";
    let spec = spec(world.python(code));
    let outcome = world.call(&spec, "").await;
    let failed = failure(&outcome);
    assert_eq!((failed.kind, failed.cause), (FunctionErrorKind::Unhandled, FunctionErrorCause::Raised));
    assert_eq!(
        failed.body,
        serde_json::json!({
            "errorMessage": "boom",
            "errorType": "ValueError",
            "stackTrace": [
                ["File \"/code/index.py\"", "line 2", "in handler", "deeper()"],
                ["File \"/code/index.py\"", "line 5", "in deeper", "raise ValueError('boom')"],
            ],
        })
    );
    assert_eq!(world.call(&spec, "").await.instance, outcome.instance);
}

#[tokio::test]
async fn a_forked_child_that_returns_does_not_answer_in_place_of_its_parent() {
    let world = World::new().await;
    let code = "import os\nMAIN = os.getpid()\ndef handler(event, context):\n    os.fork()\n    return os.getpid() == MAIN\n";
    let spec = spec(world.python(code));
    let first = world.call(&spec, "").await;
    for _ in 0..3 {
        let outcome = world.call(&spec, "").await;
        assert_eq!((text(&outcome), &outcome.instance), ("true", &first.instance));
    }
}

#[tokio::test]
async fn a_value_that_json_cannot_hold_is_an_error() {
    let world = World::new().await;
    let spec = spec(world.python("def handler(event, context):\n    return {1, 2}\n"));
    assert_eq!(failure(&world.call(&spec, "").await).body["errorType"], "TypeError");
}

#[tokio::test]
async fn faults_of_loading_have_their_own_types() {
    let world = World::new().await;
    for (handler, code, error_type, message) in [
        ("index.handler", "def handler(:\n", "UserCodeSyntaxError", "Syntax error in module 'index'"),
        ("index.handler", "import no_such_module\n", "ImportModuleError", "No module named 'no_such_module'"),
        ("other.handler", "", "ImportModuleError", "Unable to import module 'other'"),
        ("index.handler", "x = 1\n", "HandlerNotFound", "Handler 'handler' is missing on module 'index'"),
        ("handler", "", "HandlerNotFound", "it must be 'file.function'"),
        ("index.handler", "raise RuntimeError('at import')\n", "RuntimeError", "at import"),
    ] {
        let function = world.function("python3", handler, &[("index.py", code, 0o644)]);
        let outcome = world.call(&spec(function), "").await;
        let failed = failure(&outcome);
        assert_eq!(failed.cause, FunctionErrorCause::StartFailed, "{code}");
        assert_eq!(failed.body["errorType"], error_type, "{code}");
        assert!(failed.body["errorMessage"].as_str().unwrap().contains(message), "{}", failed.body);
    }
}

#[tokio::test]
async fn the_log_of_a_failed_start_is_that_of_the_attempt() {
    let world = World::new().await;
    let spec = spec(world.python("print('loading')\nraise RuntimeError('no')\n"));
    let log_of = log(&world.call(&spec, "").await).to_owned();
    let end = "FC Invoke End RequestId: req-1, Error: Unhandled function error\n";
    assert_eq!(log_of, format!("FC Invoke Start RequestId: req-1\nloading\n{end}"));
}

#[tokio::test]
async fn handlers_in_directories_are_found_by_slash_and_by_dot() {
    let world = World::new().await;
    let code = "import helper\ndef run(event, context):\n    return helper.VALUE\n";
    let files = [("pkg/sub/mod.py", code, 0o644), ("helper.py", "VALUE = 'found'\n", 0o644)];
    for handler in ["pkg/sub/mod.run", "pkg.sub.mod.run"] {
        let spec = spec(world.function("python3.12", handler, &files));
        assert_eq!(text(&world.call(&spec, "").await), "found", "{handler}");
    }
}

#[tokio::test]
async fn modules_of_layers_are_found_after_those_of_the_package() {
    let world = World::new().await;
    let code = "import both, plain, site_only\ndef handler(event, context):\n    return both.FROM + plain.FROM + site_only.FROM\n";
    let files = [("index.py", code, 0o644), ("both.py", "FROM = 'code '\n", 0o644)];
    let mut function = world.function("python3", "index.handler", &files);
    let site = format!("python/lib/python{}/site-packages/site_only.py", python_version());
    function.layers = vec![world.layer(&[
        ("python/both.py", "FROM = 'layer '\n", 0o644),
        ("python/plain.py", "FROM = 'plain '\n", 0o644),
        (&site, "FROM = 'site'\n", 0o644),
    ])];
    assert_eq!(text(&world.call(&spec(function), "").await), "code plain site");
}

fn python_version() -> String {
    let program = "import sys; print('%d.%d' % sys.version_info[:2])";
    let output = std::process::Command::new("python3").args(["-c", program]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_context_has_every_documented_field() {
    let world = World::new().await;
    let code = r#"
def handler(event, context):
    c = context
    return [c.request_id, c.credentials.access_key_id, c.credentials.access_key_secret,
            c.credentials.security_token, c.function.name, c.function.handler, c.function.memory, c.function.timeout,
            c.service.name, c.service.log_project, c.service.log_store, c.service.qualifier, c.service.version_id,
            c.region, c.account_id, c.retry_count, c.task_id, c.tracing.span_context, c.tracing.span_baggages,
            c.tracing.jaeger_endpoint, c.logger is not None]
"#;
    let spec = spec(world.python(code));
    let mut call = request("");
    call.retry_count = 2;
    call.task_id = Some(TaskId::new("task-1").unwrap());
    call.tracing.span_context = Some("span".to_owned());
    call.tracing.span_baggages = Some("eyJhIjoiYiJ9".to_owned());
    let outcome = world.call_with(&spec, call, Cancel::new()).await;
    assert_eq!(
        json(&outcome),
        serde_json::json!([
            "req-1", "", "", "", "fun", "index.handler", 512, 30, "svc", "", "", "LATEST", "", "local", "10001", 2,
            "task-1", "span", {"a": "b"}, "", true
        ])
    );
}

#[tokio::test]
async fn the_environment_holds_what_is_documented_and_nothing_of_the_server() {
    let world = World::new().await;
    let code = "import os\ndef handler(event, context):\n    return dict(os.environ)\n";
    let mut function = world.python(code);
    function.environment.insert("MINE".to_owned(), "1".to_owned());
    function.environment.insert("FC_EVIL".to_owned(), "1".to_owned());
    let outcome = world.call(&spec(function), "").await;
    let env = json(&outcome);
    assert_eq!(env["MINE"], "1");
    assert_eq!(env["FC_FUNCTION_NAME"], "fun");
    assert_eq!(env["FC_INSTANCE_ID"], outcome.instance.as_str());
    assert_eq!(env["FC_FUNCTION_MEMORY_SIZE"], "512");
    assert_eq!(env["ALIBABA_CLOUD_ACCESS_KEY_ID"], "");
    for absent in ["FC_EVIL", "BIDE_CONTROL_FD", "CARGO", "CARGO_MANIFEST_DIR"] {
        assert!(env.get(absent).is_none(), "{absent}");
    }
}

#[tokio::test]
async fn prints_and_log_lines_are_in_the_tail_of_their_own_attempt() {
    let world = World::new().await;
    let code = r#"
import logging, sys
def handler(event, context):
    print("printed " + event.decode(), end="")
    sys.stderr.write("|on stderr\n")
    logging.getLogger().info("info %s", event.decode())
    context.logger.warning("warning")
"#;
    let spec = spec(world.python(code));
    world.call(&spec, "one").await;
    let outcome = world.call(&spec, "two").await;
    let tail = log(&outcome);
    assert!(tail.starts_with("FC Invoke Start RequestId: req-1\n"), "{tail}");
    assert!(tail.ends_with("FC Invoke End RequestId: req-1\n"), "{tail}");
    assert!(tail.contains("printed two") && tail.contains("|on stderr\n"), "{tail}");
    assert!(
        tail.contains("Z req-1 [INFO] info two\n") && tail.contains("Z req-1 [WARNING] warning\n"),
        "{tail}"
    );
    assert!(!tail.contains("one"), "{tail}");
}

#[tokio::test]
async fn megabytes_of_prints_neither_block_the_function_nor_grow_the_tail() {
    let world = World::new().await;
    let code = r#"
def handler(event, context):
    for number in range(4000):
        print("x" * 1000, number)
    print("y" * 3_000_000)
    print("the end")
    return "done"
"#;
    let spec = spec(world.python(code));
    for _ in 0..2 {
        let outcome = world.call(&spec, "").await;
        assert_eq!(text(&outcome), "done");
        assert_eq!(outcome.log_tail.len(), 4096);
        assert!(log(&outcome).contains("the end\n"));
    }
}

#[tokio::test]
async fn an_initializer_runs_once_and_its_failure_replaces_the_instance() {
    let world = World::new().await;
    let code = r#"
import os
count = 0
def init(context):
    global count
    count += 1
    if os.environ["FAIL"] == "1":
        raise KeyError("no")
def handler(event, context):
    return count
"#;
    let mut function = world.python(code);
    function.initializer = Some("index.init".to_owned());
    function.environment.insert("FAIL".to_owned(), "0".to_owned());
    let good = spec(function.clone());
    for _ in 0..3 {
        assert_eq!(text(&world.call(&good, "").await), "1");
    }
    function.environment.insert("FAIL".to_owned(), "1".to_owned());
    function.revision = 2;
    let bad = spec(function);
    let first = world.call(&bad, "").await;
    let second = world.call(&bad, "").await;
    assert_eq!(failure(&first).body["errorType"], "KeyError");
    assert_eq!(failure(&first).cause, FunctionErrorCause::StartFailed);
    assert_ne!(first.instance, second.instance);
}

#[tokio::test]
async fn the_log_of_a_cold_start_shows_loading_initializer_and_call_in_order() {
    let world = World::new().await;
    let code = "print('loading')\ndef init(context):\n    print('init')\ndef handler(event, context):\n    print('call')\n";
    let mut function = world.python(code);
    function.initializer = Some("index.init".to_owned());
    let outcome = world.call(&spec(function), "").await;
    let id = &outcome.instance;
    assert_eq!(
        log(&outcome),
        format!(
            "loading\npython3.10 runtime inited.\nFC Initialize Start RequestId: {id}\ninit\n\
             FC Initialize End RequestId: {id}\nFC Invoke Start RequestId: req-1\ncall\nFC Invoke End RequestId: req-1\n"
        )
    );
}

#[tokio::test]
async fn a_process_that_ends_during_a_call_is_reported_as_such() {
    let world = World::new().await;
    for code in
        ["import os; os._exit(3)", "import sys; sys.exit(0)", "import os; os.kill(os.getpid(), 9)", "exit()"]
    {
        let spec = spec(
            world.python(&format!("def handler(event, context):\n    print('before', flush=True); {code}\n")),
        );
        let outcome = world.call(&spec, "").await;
        let failed = failure(&outcome);
        assert_eq!(failed.cause, FunctionErrorCause::ProcessExited, "{code}");
        let message = failed.body["errorMessage"].as_str().unwrap();
        assert!(
            message.starts_with("Process exited unexpectedly before completing request (duration: "),
            "{message}"
        );
        assert!(log(&outcome).contains("before\n"), "{code}: {}", log(&outcome));
    }
}

#[tokio::test]
async fn a_hang_is_killed_at_the_timeout_and_says_where_it_was() {
    let world = World::new().await;
    let mut function = world.python("import time\ndef handler(event, context):\n    time.sleep(1000)\n");
    function.timeout_seconds = 1;
    let spec = spec(function);
    let outcome = world.call(&spec, "").await;
    let failed = failure(&outcome);
    assert_eq!(failed.cause, FunctionErrorCause::Timeout);
    let message = failed.body["errorMessage"].as_str().unwrap();
    assert!(message.starts_with("Function timed out after 1 seconds (maxMemoryUsage: "), "{message}");
    assert!(outcome.memory_max_mb > 1.0);
    assert!(log(&outcome).contains("in handler"), "{}", log(&outcome));
}

#[tokio::test]
async fn an_instance_that_breaks_the_protocol_is_replaced() {
    let world = World::new().await;
    let code = r#"
import os
def handler(event, context):
    if event == b"break":
        for fd in range(3, 200):
            try:
                os.write(fd, b"\xff" * 100)
            except OSError:
                pass
    return "fine"
"#;
    let spec = spec(world.python(code));
    let before = world.call(&spec, "").await;
    let broken = world.call(&spec, "break").await;
    assert_eq!(failure(&broken).cause, FunctionErrorCause::ProcessExited);
    let after = world.call(&spec, "").await;
    assert_eq!(text(&after), "fine");
    assert_ne!(before.instance, after.instance);
}

#[tokio::test]
async fn events_and_results_of_many_megabytes_pass_and_too_large_ones_are_errors() {
    let world = World::new().await;
    let code = "def handler(event, context):\n    return event * 2 if len(event) > 20_000_000 else event\n";
    let spec = spec(world.python(code));
    let large = vec![7_u8; 9_000_000];
    assert_eq!(world.call(&spec, large.clone()).await.result, AttemptResult::Returned(large.into()));
    let outcome = world.call(&spec, vec![7_u8; 21_000_000]).await;
    assert!(failure(&outcome).body["errorMessage"].as_str().unwrap().contains("42000000 bytes"));
}

#[tokio::test]
async fn an_instance_with_concurrency_serves_calls_in_threads() {
    let world = World::new().await;
    let code = r#"
import threading
barrier = threading.Barrier(4)
def handler(event, context):
    barrier.wait()
    return context.request_id + event.decode()
"#;
    let mut function = world.python(code);
    function.instance_concurrency = 4;
    let spec = spec(function);
    let world = Arc::new(world);
    for _ in 0..2 {
        let calls = ["a", "b", "c", "d"].map(|event| {
            let (world, spec) = (Arc::clone(&world), Arc::clone(&spec));
            tokio::spawn(async move {
                let outcome = world.call(&spec, event).await;
                assert_eq!(text(&outcome), format!("req-1{event}"));
                assert!(outcome.log_tail.is_empty());
                outcome.instance
            })
        });
        let mut instances = Vec::new();
        for call in calls {
            instances.push(call.await.unwrap());
        }
        instances.dedup();
        assert_eq!(instances.len(), 1);
    }
}

#[tokio::test]
async fn too_much_memory_is_found_however_short_it_was_held() {
    let world = World::new().await;
    let code = "def handler(event, context):\n    bytearray(b'1') * (300 << 20)\n    return 'survived'\n";
    let mut function = world.python(code);
    function.memory_mb = 128;
    let outcome = world.call(&spec(function), "").await;
    assert_eq!(failure(&outcome).cause, FunctionErrorCause::OutOfMemory);
    assert!(outcome.memory_max_mb > 128.0, "{}", outcome.memory_max_mb);
}

#[tokio::test]
async fn too_much_memory_is_an_end_of_its_own() {
    let world = World::new().await;
    let code = "import time\ndef handler(event, context):\n    x = bytearray(300 << 20)\n    x[::4096] = b'1' * len(x[::4096])\n    time.sleep(1000)\n";
    let mut function = world.python(code);
    function.memory_mb = 128;
    let outcome = world.call(&spec(function), "").await;
    assert_eq!(failure(&outcome).cause, FunctionErrorCause::OutOfMemory);
}
