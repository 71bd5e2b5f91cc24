//! The command line: what people and scripts see.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{
    Function, Output, World, bide, bide_command, command_for, directory, run, run_with_input, statuses, until,
};

const FLAKY: &str = r#"
import json

def handler(event, context):
    print("working on", event.decode())
    if context.retry_count == 0 and event == b"flaky":
        raise RuntimeError("once")
    if event == b"bad":
        raise ValueError("always")
    return json.dumps({"got": event.decode()})
"#;

/// The lines of standard output as JSON.
fn json_lines(output: &Output) -> Vec<Value> {
    output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect()
}

async fn deployed() -> World {
    let world = World::start().await;
    let code = world.dir.path().join("code");
    Function::python(FLAKY).write_to(&code);
    let code = code.to_string_lossy();
    let output =
        bide(&world.server, &["deploy", "shop/orders", "--code", &code, "--runtime", "python3"]).await;
    assert_eq!(output.code, 0, "{output:?}");
    assert!(output.stdout.starts_with("deployed "), "{output:?}");
    world
}

#[tokio::test]
async fn the_demo_shows_every_phase_in_order_and_ends_well() {
    let output = run(bide_command(&["demo"])).await;
    assert_eq!(output.code, 0, "{output:?}");
    let mut rest = output.stdout.as_str();
    for expected in [
        "server at http://127.0.0.1:",
        "deployed demo/print-order",
        "202: task order-42 is on disk, to run in 2 s",
        "+0.0",
        "Enqueued",
        "+2.0",
        "Dequeued",
        "Running",
        "Retrying    UnhandledInvocationError",
        "Running",
        "Succeeded",
        "demo/notify has the record:",
        "\"approximateInvokeCount\": 2",
        "\"condition\": \"\"",
    ] {
        let (_, after) = rest.split_once(expected).unwrap_or_else(|| panic!("no '{expected}' in: {rest}"));
        rest = after;
    }
}

#[tokio::test]
async fn the_demo_prints_json_on_standard_output_and_the_rest_beside_it() {
    let output = run(bide_command(&["demo", "--output", "json"])).await;
    assert_eq!(output.code, 0, "{output:?}");
    let mut lines = json_lines(&output);
    let record = lines.pop().expect("a record");
    let seen: Vec<_> = lines.iter().map(|event| event["status"].as_str().unwrap()).collect();
    assert_eq!(seen, ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Succeeded"]);
    assert_eq!(record["requestPayload"], r#"{"order": 42}"#);
    assert_eq!(record["requestContext"]["approximateInvokeCount"], 2);
    assert!(output.stderr.contains("202: task order-42 is on disk"), "{output:?}");
}

#[tokio::test]
async fn functions_are_deployed_listed_shown_and_deleted() {
    let world = deployed().await;
    let code = world.dir.path().join("code");
    let code = code.to_string_lossy();
    let arguments = [
        "deploy",
        "shop/orders",
        "--code",
        &code,
        "--runtime",
        "python3.10",
        "--timeout",
        "7",
        "--memory",
        "256",
        "--concurrency",
        "2",
        "--env",
        "A=1",
        "--env",
        "B=x=y",
        "--output",
        "json",
    ];
    let function = bide(&world.server, &arguments).await.json();
    let expected =
        json!({ "functionName": "orders", "runtime": "python3.10", "timeout": 7, "memorySize": 256 });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&function[key], value, "{function:#}");
    }
    assert_eq!(function["environmentVariables"], json!({ "A": "1", "B": "x=y" }));
    assert_eq!(bide(&world.server, &["functions", "get", "shop/orders"]).await.json(), function);

    let other = ["deploy", "other/orders", "--code", &code, "--runtime", "python3"];
    assert_eq!(bide(&world.server, &other).await.code, 0);
    let all = bide(&world.server, &["functions", "list", "--output", "json"]).await.json();
    let names: Vec<_> = all.as_array().unwrap().iter().map(|function| &function["serviceName"]).collect();
    assert_eq!(names, ["other", "shop"]);
    let table = bide(&world.server, &["functions", "list", "shop"]).await.stdout;
    let mut rows = table.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    assert_eq!(rows.next().unwrap()[..2], ["SERVICE", "FUNCTION"]);
    assert_eq!(rows.next().unwrap()[..4], ["shop", "orders", "python3.10", "index.handler"]);

    assert_eq!(bide(&world.server, &["functions", "delete", "shop/orders"]).await.code, 0);
    let gone = bide(&world.server, &["functions", "get", "shop/orders"]).await;
    assert_eq!(gone.code, 3);
    assert!(gone.stderr.contains("FunctionNotFound"), "{gone:?}");
}

#[tokio::test]
async fn the_event_comes_from_the_command_line_a_file_or_standard_input() {
    let world = deployed().await;
    let file = world.dir.path().join("event");
    std::fs::write(&file, "from a file").unwrap();
    let file = file.to_string_lossy();
    for (arguments, input, expected) in [
        (vec!["--payload", "from a word"], "", "from a word"),
        (vec!["--payload-file", &file], "", "from a file"),
        (vec!["--payload-file", "-"], "from a pipe", "from a pipe"),
        (vec![], "ignored", ""),
    ] {
        let arguments = [vec!["invoke", "shop/orders"], arguments].concat();
        let command = command_for(&world.server, &arguments);
        let output = run_with_input(command, input.as_bytes()).await;
        assert_eq!(output.code, 0, "{output:?}");
        assert_eq!(output.stdout, format!("{{\"got\": \"{expected}\"}}"), "nothing but the result");
    }
}

#[tokio::test]
async fn an_invocation_shows_its_result_and_the_end_of_its_log() {
    let world = deployed().await;
    let tail = bide(&world.server, &["invoke", "shop/orders", "--payload", "it", "--tail"]).await;
    assert_eq!((tail.code, tail.stdout.as_str()), (0, r#"{"got": "it"}"#));
    assert!(tail.stderr.contains("working on it"), "the log goes beside the data: {tail:?}");

    let arguments = ["invoke", "shop/orders", "--payload", "it", "--tail", "--output", "json"];
    let shown = bide(&world.server, &arguments).await.json();
    assert_eq!((&shown["result"], &shown["errorType"]), (&json!(r#"{"got": "it"}"#), &Value::Null));
    assert!(shown["log"].as_str().unwrap().contains("working on it"), "{shown:#}");
    assert!(!shown["requestId"].as_str().unwrap().is_empty(), "{shown:#}");

    let failed = bide(&world.server, &["invoke", "shop/orders", "--payload", "bad"]).await;
    assert_eq!(failed.code, 1);
    assert!(failed.stdout.contains("ValueError"), "the error is the result: {failed:?}");
    assert!(failed.stderr.contains("UnhandledInvocationError"), "{failed:?}");
    let arguments = ["invoke", "shop/orders", "--payload", "bad", "--output", "json"];
    let failed = bide(&world.server, &arguments).await;
    assert_eq!(failed.code, 1);
    let shown: Value = serde_json::from_str(&failed.stdout).unwrap();
    assert_eq!(shown["errorType"], "UnhandledInvocationError");
}

#[tokio::test]
async fn a_task_is_submitted_watched_shown_and_listed() {
    let world = deployed().await;
    let server = &world.server;
    let submit = ["invoke", "shop/orders", "--async", "--payload"];
    let flaky =
        [&submit[..], &["flaky", "--stateful", "--task-id", "job1", "--delay", "1", "--output", "json"]]
            .concat();
    assert_eq!(bide(server, &flaky).await.json()["taskId"], "job1");
    let watched = bide(server, &["tasks", "watch", "shop/orders", "job1", "--output", "json"]).await;
    assert_eq!(watched.code, 0, "{watched:?}");
    let seen: Vec<_> = json_lines(&watched).iter().map(|event| event["status"].clone()).collect();
    assert_eq!(seen, ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Succeeded"]);

    let bad = [&submit[..], &["bad", "--stateful", "--task-id", "job2"]].concat();
    assert_eq!(bide(server, &bad).await.stdout, "accepted, task job2\n");
    let watched = bide(server, &["tasks", "watch", "shop/orders", "job2"]).await;
    assert_eq!(watched.code, 1, "a task that fails is a failure: {watched:?}");
    assert!(watched.stderr.contains("the task ended Failed"), "{watched:?}");

    let task = bide(server, &["tasks", "get", "shop/orders", "job1", "--output", "json"]).await.json();
    assert_eq!(statuses(&task), seen);
    assert_eq!(
        (&task["invocationPayload"], &task["returnPayload"]),
        (&json!("flaky"), &json!(r#"{"got": "flaky"}"#))
    );
    let shown = bide(server, &["tasks", "get", "shop/orders", "job1"]).await.stdout;
    assert!(shown.contains("Succeeded") && shown.contains("flaky"), "{shown}");

    let list = async |filter: &[&str]| {
        let arguments = [&["tasks", "list", "shop/orders", "--output", "json"], filter].concat();
        let tasks = bide(server, &arguments).await.json();
        let ids =
            tasks.as_array().unwrap().iter().map(|task| task["invocationId"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert_eq!(list(&[]).await, ["job2", "job1"], "newest first");
    assert_eq!(list(&["--status", "Failed"]).await, ["job2"]);
    assert_eq!(list(&["--prefix", "job1"]).await, ["job1"]);
    assert_eq!(list(&["--limit", "1"]).await, ["job2"]);
    let table = bide(server, &["tasks", "list", "shop/orders"]).await.stdout;
    assert!(table.starts_with("TASK") && table.lines().count() == 3, "{table}");
}

#[tokio::test]
async fn a_task_is_stopped() {
    let world = deployed().await;
    let arguments = ["invoke", "shop/orders", "--async", "--stateful", "--task-id", "job", "--delay", "3600"];
    assert_eq!(bide(&world.server, &arguments).await.code, 0);
    assert_eq!(bide(&world.server, &["tasks", "stop", "shop/orders", "job"]).await.code, 0);
    let task = bide(&world.server, &["tasks", "get", "shop/orders", "job", "--output", "json"]).await.json();
    assert_eq!(task["status"], "Stopped");
}

#[tokio::test]
async fn exit_codes_say_whose_fault_it_is() {
    let world = deployed().await;
    let server = &world.server;
    for (code, arguments) in [
        (2, vec!["invoke"]),
        (2, vec!["invoke", "no-slash"]),
        (2, vec!["invoke", "shop/orders", "--delay", "1"]),
        (2, vec!["tasks", "get", "shop/orders"]),
        (2, vec!["no-such-command"]),
        (3, vec!["invoke", "shop/nothing"]),
        (3, vec!["invoke", "nothing/orders"]),
        (3, vec!["invoke", "shop/orders", "--async", "--delay", "3601"]),
        (3, vec!["tasks", "get", "shop/orders", "nothing"]),
        (3, vec!["tasks", "list", "shop/orders", "--status", "Odd"]),
        (5, vec!["invoke", "shop/orders", "--payload-file", "/no/such/file"]),
        (5, vec!["deploy", "shop/orders", "--code", "/no/such/file", "--runtime", "python3"]),
    ] {
        let output = bide(server, &arguments).await;
        assert_eq!(output.code, code, "{arguments:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
        assert!(output.stderr.contains("error:"), "{arguments:?}: {output:?}");
    }
    let mut stranger = command_for(server, &["functions", "list"]);
    stranger.env("BIDE_ACCESS_KEY_SECRET", "wrong");
    let refused = run(stranger).await;
    assert_eq!(refused.code, 3);
    assert!(refused.stderr.contains("SignatureNotMatch"), "{refused:?}");

    let mut nobody = command_for(server, &["functions", "list"]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    nobody.env("BIDE_ENDPOINT", format!("http://{free}"));
    let unreachable = run(nobody).await;
    assert_eq!(unreachable.code, 4);
    assert!(unreachable.stderr.contains("no answer from"), "{unreachable:?}");
}

#[tokio::test]
async fn without_credentials_a_command_says_where_they_may_come_from() {
    let dir = directory();
    let mut command = bide_command(&["functions", "list"]);
    command.current_dir(dir.path());
    let output = run(command).await;
    assert_eq!(output.code, 5);
    assert!(output.stderr.contains("BIDE_ACCESS_KEY_ID"), "{output:?}");
}

#[tokio::test]
async fn output_to_a_reader_that_has_gone_ends_quietly() {
    let world = deployed().await;
    let mut command = command_for(&world.server, &["functions", "list"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    let status = until("the command ends", async || child.try_wait().unwrap()).await;
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn verify_tells_a_sound_directory_from_a_damaged_one_a_busy_one_and_none() {
    let mut world = deployed().await;
    world.api.deploy("echo", Function::python(FLAKY)).await;
    world.api.submit_task("echo", "job", "it").await;
    world.api.settled("echo", "job").await;
    let data = world.dir.path().join("data");
    let verify = async |output: &str| {
        run(bide_command(&["verify", &data.to_string_lossy(), "--output", output])).await
    };

    let busy = verify("text").await;
    assert_eq!(busy.code, 5, "{busy:?}");
    assert!(busy.stderr.contains("in use by another bide process"), "{busy:?}");

    world.server.stop().await;
    let sound = verify("text").await;
    assert_eq!(sound.code, 0, "{sound:?}");
    assert!(sound.stdout.starts_with("PART") && sound.stdout.contains("sound: "), "{sound:?}");
    let report = verify("json").await.json();
    assert_eq!((&report["sound"], &report["problemCount"]), (&json!(true), &json!(0)));
    assert_eq!(report["entries"]["invocations"], 1, "{report:#}");

    let package = std::fs::read_dir(data.join("packages")).unwrap().next().unwrap().unwrap().path();
    let mut content = std::fs::read(&package).unwrap();
    content[10] ^= 1;
    std::fs::write(&package, content).unwrap();
    let damaged = verify("json").await;
    assert_eq!(damaged.code, 1, "{damaged:?}");
    let report: Value = serde_json::from_str(&damaged.stdout).unwrap();
    assert_eq!((&report["sound"], &report["problemCount"]), (&json!(false), &json!(1)));
    let name = package.file_name().unwrap().to_string_lossy().into_owned();
    assert!(report["problems"][0].as_str().unwrap().contains(&name), "{report:#}");

    let none = run(bide_command(&["verify", &world.dir.path().to_string_lossy()])).await;
    assert_eq!(none.code, 5, "{none:?}");
    assert!(none.stderr.contains("there is no bide store in"), "{none:?}");
}
