//! What code of every runtime is given: context or headers, environment, logs, layers; and the ends that are told apart.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use crate::support::{World, status, tellers, text, zip};

const SPAN: &str = "x-fc-tracing-opentracing-span-context";
const BAGGAGES: &str = "x-fc-tracing-opentracing-span-baggages";

/// The context of the built-in runtimes, or the headers of the custom one, for this request.
fn expected(name: &str, request: &str, retries: u32, task: &str, span: &str, baggages: &str) -> Value {
    if name != "custom" {
        let baggages: Value = if baggages.is_empty() { json!({}) } else { json!({ "a": "b" }) };
        return json!({
            "requestId": request, "retryCount": retries, "taskId": task,
            "function": [name, "index.handler", 512, 30], "service": ["it", "LATEST", ""], "logs": ["", ""],
            "region": "local", "accountId": "123456789012", "credentials": ["", "", ""],
            "tracing": [span, baggages, ""],
        });
    }
    let mut headers = json!({
        "host": "127.0.0.1:9000", "content-type": "application/octet-stream",
        "x-fc-request-id": request, "x-fc-retry-count": retries.to_string(), "x-fc-control-path": "/invoke",
        "x-fc-access-key-id": "", "x-fc-access-key-secret": "", "x-fc-security-token": "",
        "x-fc-function-name": name, "x-fc-function-handler": "index.handler", "x-fc-function-memory": "512",
        "x-fc-function-timeout": "30", "x-fc-function-initializer": "", "x-fc-initialization-timeout": "3",
        "x-fc-instance-lifecycle-pre-stop-handler": "", "x-fc-instance-lifecycle-pre-freeze-handler": "",
        "x-fc-region": "local", "x-fc-account-id": "123456789012", "x-fc-qualifier": "LATEST",
        "x-fc-version-id": "", "x-fc-service-name": "it", "x-fc-service-logproject": "",
        "x-fc-service-logstore": "", "x-fc-tracing-jaeger-endpoint": "",
    });
    for (name, value) in [("x-fc-async-task-id", task), (SPAN, span), (BAGGAGES, baggages)] {
        if !value.is_empty() {
            headers[name] = value.into();
        }
    }
    headers
}

#[tokio::test]
async fn the_context_says_who_runs_what_now_and_in_a_second_attempt() {
    let world = World::start().await;
    for (name, function) in tellers() {
        world.api.deploy(name, function.with("memorySize", 512)).await;
        let tracing = [(SPAN, "span".to_owned()), (BAGGAGES, "eyJhIjoiYiJ9".to_owned())];
        let answer = world.api.try_invoke(name, r#"{"do": "describe"}"#, &tracing).await.unwrap();
        let request = answer.header("x-fc-request-id");
        let seen = without_length(serde_json::from_slice(&answer.body).unwrap());
        assert_eq!(seen, expected(name, request, 0, "", "span", "eyJhIjoiYiJ9"), "{name}");

        world.api.configure(name, json!({ "maxAsyncRetryAttempts": 1 })).await;
        world.api.submit_task(name, "job", r#"{"do": "describe", "fails_first": true}"#).await;
        let task = world.api.settled(name, "job").await;
        assert_eq!(status(&task), "Succeeded", "{name}: {task}");
        let seen = without_length(serde_json::from_str(task["returnPayload"].as_str().unwrap()).unwrap());
        let request = task["requestId"].as_str().unwrap();
        assert_eq!(seen, expected(name, request, 1, "job", "", ""), "{name}");
    }
}

fn without_length(mut seen: Value) -> Value {
    seen.as_object_mut().unwrap().remove("content-length");
    seen
}

#[tokio::test]
async fn the_environment_has_what_is_documented_and_nothing_of_the_server() {
    let world = World::start().await;
    for (name, function) in tellers() {
        world.api.deploy(name, function.env("MINE", "1").with("memorySize", 256)).await;
        let answer = world.api.invoke(name, r#"{"do": "environment"}"#).await;
        let seen: Value = serde_json::from_slice(&answer.body).unwrap();
        let mut wanted = json!({
            "MINE": "1", "LANG": "C.UTF-8", "HOME": "/tmp", "TMPDIR": "/tmp", "PATH": seen["PATH"],
            "FC_FUNC_CODE_PATH": "/code", "FC_ACCOUNT_ID": "123456789012", "FC_REGION": "local",
            "FC_FUNCTION_NAME": name, "FC_FUNCTION_HANDLER": "index.handler", "FC_FUNCTION_MEMORY_SIZE": "256",
            "FC_SERVICE_NAME": "it", "FC_QUALIFIER": "LATEST", "FC_VER_ID": "", "FC_FUNCTION_VERSION": "",
            "FC_INSTANCE_ID": answer.header("x-fc-instance-id"), "FC_CUSTOM_LISTEN_PORT": "9000",
            "ALIBABA_CLOUD_ACCESS_KEY_ID": "", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "",
            "ALIBABA_CLOUD_SECURITY_TOKEN": "",
        });
        if name == "custom" {
            wanted["FC_SERVER_PORT"] = "9000".into();
        }
        assert_eq!(seen, wanted, "{name}");
        let path: BTreeSet<&str> = seen["PATH"].as_str().unwrap().split(':').collect();
        assert!(path.contains("/usr/bin"), "{path:?}");
    }
}

/// `2024-07-03T06:00:00.000Z ID [LEVEL] text` without the time.
fn untimed(line: &str) -> &str {
    let (time, rest) = line.split_at_checked(24).unwrap_or(("", line));
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape == "0000-00-00T00:00:00.000Z" { rest.trim_start() } else { line }
}

#[tokio::test]
async fn the_tail_has_the_lines_of_the_attempt_in_the_documented_format() {
    let world = World::start().await;
    let tail = [("x-fc-log-type", "Tail".to_owned())];
    for (name, function) in tellers() {
        world.api.deploy(name, function).await;
        world.api.invoke(name, "").await;
        let answer = world.api.try_invoke(name, r#"{"do": "log"}"#, &tail).await.unwrap();
        let log = STANDARD.decode(answer.header("x-fc-log-result")).unwrap();
        let log = String::from_utf8(log).unwrap();
        let id = answer.header("x-fc-request-id");
        let mut lines: Vec<String> = vec![format!("FC Invoke Start RequestId: {id}"), "printed".to_owned()];
        if name != "custom" {
            lines.push("on stderr".to_owned());
            for line in ["[INFO] info 1", "[WARNING] warning", "[ERROR] of a thread"] {
                lines.push(format!("{id} {line}"));
            }
        }
        lines.push(format!("FC Invoke End RequestId: {id}"));
        assert_eq!(log.lines().map(untimed).collect::<Vec<_>>(), lines, "{name}");
        if name != "custom" {
            assert_eq!(log.lines().filter(|line| untimed(line) != *line).count(), 3, "{name}: {log}");
        }

        let unasked = world.api.invoke(name, r#"{"do": "log"}"#).await;
        assert!(!unasked.headers.contains_key("x-fc-log-result"), "{name}");
        let accepted = world.api.submit(name, r#"{"do": "log"}"#, &tail).await.unwrap();
        assert!(!accepted.headers.contains_key("x-fc-log-result"), "{name}");
    }
}

#[tokio::test]
async fn there_is_no_tail_where_requests_overlap() {
    let world = World::start().await;
    for (name, function) in tellers() {
        world.api.deploy(name, function.with("instanceConcurrency", 2)).await;
        let tail = [("x-fc-log-type", "Tail".to_owned())];
        let answer = world.api.try_invoke(name, r#"{"do": "log"}"#, &tail).await.unwrap();
        assert_eq!((answer.status, answer.header("x-fc-log-result")), (200, ""), "{name}");
    }
}

#[tokio::test]
async fn layers_lie_under_opt_and_their_modules_are_found() {
    let world = World::start().await;
    let code = zip(&[
        ("python/shared.py".to_owned(), "WORD = 'from a '".to_owned(), 0o644),
        ("nodejs/node_modules/shared.js".to_owned(), "module.exports = 'from a ';".to_owned(), 0o644),
        ("data".to_owned(), "layer".to_owned(), 0o644),
    ]);
    let layer = json!({ "code": { "zipFile": STANDARD.encode(code) } });
    let layers = "/2016-08-15/layers/common/versions";
    let published = world.api.client().json(Method::POST, layers, Some(&layer)).await.expect("published");
    let call = r#"{"do": "layer"}"#;
    for (name, function) in tellers() {
        world.api.deploy(name, function.with("layers", json!([published["arn"]]))).await;
        let wanted = if name == "custom" { "layer" } else { "from a layer" };
        assert_eq!(text(&world.api.invoke(name, call).await), wanted, "{name}");
        world.api.submit_task(name, "job", call).await;
        assert_eq!(world.api.settled(name, "job").await["returnPayload"], wanted, "{name}");
    }
    world.api.client().json(Method::DELETE, &format!("{layers}/1"), None).await.expect("deleted");
    for (name, function) in tellers() {
        world.api.update(name, function).await;
        assert!(text(&world.api.invoke(name, call).await).ends_with("layer"), "{name} keeps it");
    }
}

const EXITED: &str = "Process exited unexpectedly before completing request (duration: ";

#[tokio::test]
async fn timeouts_memory_and_exits_of_python_are_told_apart() {
    check_ends(0).await;
}

#[tokio::test]
async fn timeouts_memory_and_exits_of_node_are_told_apart() {
    check_ends(1).await;
}

#[tokio::test]
async fn timeouts_memory_and_exits_of_a_custom_runtime_are_told_apart() {
    check_ends(2).await;
}

async fn check_ends(teller: usize) {
    let world = World::start().await;
    let make = |timeout: u32| {
        let (name, function) = tellers().into_iter().nth(teller).unwrap();
        (name, function.with("timeout", timeout).with("memorySize", 256))
    };
    let (name, function) = make(30);
    world.api.deploy(name, function).await;
    world.collect(name, json!({ "maxAsyncRetryAttempts": 0 })).await;
    for (what, timeout, message, condition) in [
        ("hang", 1, "Function timed out after 1 seconds (maxMemoryUsage: ", "FunctionTimeoutError"),
        (
            "fill",
            30,
            "Function used more memory than its limit of 256 MB (maxMemoryUsage: ",
            "FunctionOOMError",
        ),
        ("exit", 30, EXITED, "UnhandledInvocationError"),
        ("kill", 30, EXITED, "UnhandledInvocationError"),
    ] {
        world.api.update(name, make(timeout).1).await;
        let event = json!({ "do": what }).to_string();
        let answer = world.api.invoke(name, event.clone()).await;
        let error_type = answer.header("x-fc-error-type");
        assert_eq!((answer.status, error_type), (200, "UnhandledInvocationError"), "{name} {what}");
        let error: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(error["errorMessage"].as_str().unwrap().starts_with(message), "{name} {what}: {error}");
        assert_eq!(error.as_object().unwrap().len(), 1, "{name} {what}: only a message");

        world.api.submit_task(name, what, event).await;
        world.api.delivered(name, what).await;
        let record = world.records().await.pop().unwrap();
        assert_eq!(record["requestContext"]["condition"], condition, "{name} {what}");
        assert_eq!(record["responseContext"]["functionError"], "UnhandledInvocationError", "{name} {what}");
    }
    assert_eq!(text(&world.api.invoke(name, "").await), "done", "{name} goes on");
}
