//! Functions that behave badly: each is a clear result of the attempt, and the server goes on.

use serde_json::{Value, json};

use crate::support::{Function, World, status, statuses, text, until};

struct Case {
    name: &'static str,
    function: Function,
    /// In the error that the caller sees.
    message: &'static str,
    /// Empty when the error has none.
    error_type: &'static str,
}

const EXITS: &str = "import os\ndef handler(event, context):\n    os._exit(3)\n";
const LEAVES: &str = "import sys\ndef handler(event, context):\n    sys.exit(0)\n";
const KILLED: &str =
    "import os, signal\ndef handler(event, context):\n    os.kill(os.getpid(), signal.SIGKILL)\n";
const HANGS: &str = "import time\ndef handler(event, context):\n    time.sleep(1000)\n";
const LACKS: &str = "def other(event, context):\n    return 1\n";
const RETURNS: &str = "def handler(event, context):\n    return object()\n";
const INITIALIZER: &str =
    "def initialize(context):\n    raise KeyError('no')\ndef handler(event, context):\n    return 1\n";
const GREEDY: &str = r#"
import time

def handler(event, context):
    memory = bytearray(300 << 20)
    memory[::4096] = b"1" * len(memory[::4096])
    time.sleep(1000)
"#;
const EXITED: &str = "Process exited unexpectedly before completing request";

fn cases() -> Vec<Case> {
    let case =
        |name, function, message, error_type: &'static str| Case { name, function, message, error_type };
    let python = Function::python;
    vec![
        case("exits", python(EXITS), EXITED, ""),
        case("leaves", python(LEAVES), EXITED, ""),
        case("killed", python(KILLED), EXITED, ""),
        case("hangs", python(HANGS).with("timeout", 1), "Function timed out after 1 seconds", ""),
        case(
            "greedy",
            python(GREEDY).with("memorySize", 128),
            "used more memory than its limit of 128 MB",
            "",
        ),
        case("lacks", python(LACKS), "Handler 'handler' is missing on module 'index'", "HandlerNotFound"),
        case(
            "imports",
            python("import no_such_module\n"),
            "Unable to import module 'index'",
            "ImportModuleError",
        ),
        case(
            "syntax",
            python("def handler(event:\n"),
            "Syntax error in module 'index'",
            "UserCodeSyntaxError",
        ),
        case("raises", python("raise RuntimeError('at import')\n"), "at import", "RuntimeError"),
        case("returns", python(RETURNS), "not JSON serializable", "TypeError"),
        case("starts", python(INITIALIZER).with("initializer", "index.initialize"), "no", "KeyError"),
        case(
            "elsewhere",
            python("").with("handler", "other.handler"),
            "Unable to import module 'other'",
            "ImportModuleError",
        ),
        case(
            "silent",
            Function::custom("#!/bin/sh\nexit 3\n"),
            "ended (exit code 3) before it listened",
            "FunctionNotStarted",
        ),
        case(
            "commandless",
            Function::custom("").with("customRuntimeConfig", json!({ "command": ["/no/such/program"] })),
            "/no/such/program",
            "FunctionNotStarted",
        ),
    ]
}

#[tokio::test]
async fn a_function_that_breaks_is_a_clear_result_and_the_server_goes_on() {
    let world = World::start().await;
    let mut expected = Vec::new();
    for Case { name, function, message, error_type } in cases() {
        world.api.deploy(name, function).await;
        world.api.configure(name, json!({ "maxAsyncRetryAttempts": 0 })).await;
        world.api.submit_task(name, "job", "event").await;
        expected.push((name, message, error_type));
    }
    for (name, message, error_type) in expected {
        let answer = world.api.invoke(name, "event").await;
        assert_eq!(
            (answer.status, answer.header("x-fc-error-type")),
            (200, "UnhandledInvocationError"),
            "{name}"
        );
        check_error(name, text(&answer), message, error_type);
        let task = world.api.settled(name, "job").await;
        assert_eq!(status(&task), "Failed", "{name}: {task:#}");
        check_error(name, task["returnPayload"].as_str().unwrap(), message, error_type);
    }
    world.api.deploy("good", Function::python("def handler(event, context):\n    return event\n")).await;
    assert_eq!(text(&world.api.invoke("good", "still here").await), "still here");
}

fn check_error(name: &str, body: &str, message: &str, error_type: &str) {
    let error: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{name}: {body} is no JSON"));
    assert!(error["errorMessage"].as_str().unwrap_or_default().contains(message), "{name}: {error}");
    assert_eq!(error["errorType"].as_str().unwrap_or_default(), error_type, "{name}: {error}");
}

#[tokio::test]
async fn a_function_that_prints_megabytes_succeeds_and_its_tail_is_the_end() {
    let world = World::start().await;
    let prints = "def handler(event, context):\n    for n in range(80000):\n        print('%08d' % n, 'x' * 90)\n    print('y' * 5_000_000)\n    print('the last line')\n    return 'done'\n";
    world.api.deploy("prints", Function::python(prints)).await;

    let tail = ("x-fc-log-type", "Tail".to_owned());
    let answer = world.api.try_invoke("prints", "", &[tail]).await.unwrap();
    assert_eq!(text(&answer), "done");
    let log = decoded(answer.header("x-fc-log-result"));
    assert!(log.len() <= 4096, "{} bytes", log.len());
    assert!(log.contains("the last line"), "{log}");
    world.api.submit_task("prints", "job", "").await;
    assert_eq!(status(&world.api.settled("prints", "job").await), "Succeeded");

    let log = world.server.log();
    assert!(log.len() < 8_000_000, "the server's own log is bounded, and has {} bytes", log.len());
    assert!(log.contains("bide dropped "), "what is dropped is told");
}

fn decoded(base64: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(base64).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn what_a_function_leaves_running_after_its_answer_ends_with_its_instance() {
    let world = World::start_with(&[("BIDE_IDLE_TIMEOUT_SECONDS", "1")]).await;
    let leaves = "import os, subprocess\ndef handler(event, context):\n    subprocess.Popen(['setsid', 'sleep', '1000'])\n    return os.environ['FC_INSTANCE_ID']\n";
    world.api.deploy("leaves", Function::python(leaves)).await;
    let answer = world.api.invoke("leaves", "").await;
    let instance = text(&answer);
    assert_eq!(world.processes_of(instance).len(), 2, "it and its child, in a session of its own");
    until("the instance and its child are gone", async || world.instances().is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_result_that_is_no_text_comes_back_byte_for_byte() {
    let world = World::start().await;
    let bytes = "def handler(event, context):\n    return event[::-1]\n";
    world.api.deploy("reverses", Function::python(bytes)).await;
    let event: Vec<u8> = (0..=255).collect();
    let reversed: Vec<u8> = (0..=255).rev().collect();
    assert_eq!(world.api.invoke("reverses", event.clone()).await.body, reversed);

    world.api.submit_task("reverses", "job", event).await;
    let task = world.api.settled("reverses", "job").await;
    assert_eq!(statuses(&task).last(), Some(&"Succeeded"));
    assert_eq!(
        (&task["invocationPayloadIsBase64"], &task["returnPayloadIsBase64"]),
        (&json!(true), &json!(true))
    );
}
