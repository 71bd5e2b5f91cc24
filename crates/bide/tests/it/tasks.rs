//! What a task keeps beside its states: its return value, the logs of its attempts, and for how long.

use std::path::Path;
use std::time::Duration;

use bide_env::{Clock as _, SystemClock};
use bide_types::Timestamp;
use http::Method;
use serde_json::json;

use crate::support::{Api, Function, Launch, World, bide, bide_command, code_of, run, status, until};

/// Bytes of a return value that is still kept.
const RESULT_BYTES_MAX: usize = 1024 * 1024;

/// Prints, then returns as many bytes as the event says, which do not compress.
const LARGE: &str = r#"
import base64, os

def handler(event, context):
    wanted = int(event)
    print("returning", wanted)
    return base64.b64encode(os.urandom(wanted))[:wanted]
"#;

/// Prints which attempt it is, and fails until the third; waits when the event names a file.
const FLAKY: &str = r#"
import os, time

def handler(event, context):
    print("attempt with retry count", context.retry_count)
    if event:
        with open(event.decode(), "w"):
            pass
        time.sleep(1000)
    if context.retry_count < 2:
        raise RuntimeError("not yet")
    return "done"
"#;

/// Bytes that the files below a directory take of the disk.
fn disk_bytes(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = std::fs::read_dir(path).expect("a directory").filter_map(Result::ok);
    let sizes = entries.filter_map(|entry| {
        let metadata = entry.metadata().ok()?; // it may just have been removed
        Some(if metadata.is_dir() { disk_bytes(&entry.path()) } else { metadata.blocks() * 512 })
    });
    sizes.sum()
}

async fn logs(world: &World, function: &str, task: &str) -> serde_json::Value {
    let path = format!("/bide/v1/services/it/functions/{function}/tasks/{task}/logs");
    world.api.client().json(Method::GET, &path, None).await.expect("logs")
}

#[tokio::test]
async fn after_the_retention_tasks_are_gone_their_space_returns_and_their_ids_are_free() {
    const TASKS: usize = 40;
    const RETENTION: Duration = Duration::from_secs(1);
    let mut world = World::start().await;
    world.api.deploy("large", Function::python(LARGE)).await;
    let id = |number: usize| format!("job-{number}");
    for number in 0..TASKS {
        world.api.submit_task("large", &id(number), RESULT_BYTES_MAX.to_string()).await;
    }
    let mut last = json!(null);
    for number in 0..TASKS {
        let task = world.api.settled("large", &id(number)).await;
        if task["endTime"].as_u64() > last["endTime"].as_u64() {
            last.clone_from(&task);
        }
        let returned = task["returnPayload"].as_str().expect("it is shown").len();
        assert_eq!((status(&task), returned), ("Succeeded", RESULT_BYTES_MAX));
    }
    assert!(logs(&world, "large", "job-0").await["logs"][0]["log"].as_str().unwrap().contains("returning"));
    assert_eq!(code_of(world.api.try_submit_task("large", "job-0", 0, "1").await).0, 409);
    let data = world.dir.path().join("data");
    world.server.stop().await;
    let before = disk_bytes(&data);
    assert!(before > (TASKS * RESULT_BYTES_MAX) as u64, "{before}");
    // Then the first look after the start finds all of them.
    let clock = SystemClock::new();
    let over = Timestamp::from_millis(last["endTime"].as_u64().unwrap()).plus(RETENTION);
    until("the retention of the last to be over", async || (clock.now() > over).then_some(())).await;

    world.server =
        Launch::new(&data).env("BIDE_TASK_RETENTION_SECONDS", RETENTION.as_secs().to_string()).ready().await;
    world.api = Api::of(&world.server);
    until("every task to be removed", async || world.api.tasks("large").await.is_empty().then_some(())).await;
    let gone = code_of(world.api.try_task("large", "job-0").await);
    assert_eq!(gone, (404, "StatefulAsyncInvocationNotFound".to_owned()));
    let path = "/bide/v1/services/it/functions/large/tasks/job-0/logs";
    let gone = code_of(world.api.client().json(Method::GET, path, None).await);
    assert_eq!(gone, (404, "StatefulAsyncInvocationNotFound".to_owned()));
    // What is left is at most a journal and the write buffers that it holds.
    let values = || disk_bytes(&data.join("store/keyspaces"));
    until("the space of the values to return", async || (values() < 1024 * 1024).then_some(())).await;
    let after = disk_bytes(&data);
    assert!(after + 10 * 1024 * 1024 < before, "{after} bytes of {before}");

    world.api.submit_task("large", "job-0", "5").await;
    let ledger = world.api.ledger("large").await;
    assert_eq!(ledger["accepted"], TASKS + 1, "what became of them stays counted");
    world.server.stop().await;
    let verified = run(bide_command(&["verify", &data.to_string_lossy()])).await;
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[tokio::test]
async fn a_return_value_is_kept_up_to_a_megabyte() {
    let world = World::start().await;
    world.api.deploy("large", Function::python(LARGE)).await;
    world.api.submit_task("large", "larger", (RESULT_BYTES_MAX + 1).to_string()).await;
    let task = world.api.settled("large", "larger").await;
    assert_eq!((status(&task), task.get("returnPayload")), ("Succeeded", None));
}

#[tokio::test]
async fn every_attempt_of_a_task_has_a_log_of_its_own() {
    let world = World::start().await;
    world.api.deploy("flaky", Function::python(FLAKY)).await;
    world.api.submit_task("flaky", "job", "").await;
    world.api.settled("flaky", "job").await;
    let shown = bide(&world.server, &["tasks", "logs", "it/flaky", "job"]).await;
    assert_eq!(shown.code, 0, "{shown:?}");
    let mut rest = shown.stdout.as_str();
    for expected in [
        "== attempt 1 of 3: Failed, ended 2",
        "attempt with retry count 0\n",
        "== attempt 2 of 3: Failed",
        "attempt with retry count 1\n",
        "== attempt 3 of 3: Succeeded",
        "attempt with retry count 2\n",
    ] {
        let (_, after) = rest.split_once(expected).unwrap_or_else(|| panic!("no '{expected}' in: {rest}"));
        rest = after;
    }
    let one =
        bide(&world.server, &["tasks", "logs", "it/flaky", "job", "--attempt", "2", "--output", "json"]);
    let one = one.await.json();
    assert_eq!((&one["attempts"], one["logs"].as_array().map(Vec::len)), (&json!(3), Some(1)));
    assert_eq!(one["logs"][0]["errorType"], "UnhandledInvocationError");
    let none = bide(&world.server, &["tasks", "logs", "it/flaky", "job", "--attempt", "4"]).await;
    assert_eq!(none.code, 3, "{none:?}");
}

#[tokio::test]
async fn a_killed_server_leaves_word_of_the_attempt_whose_log_is_lost() {
    let mut world = World::start().await;
    world.api.deploy("flaky", Function::python(FLAKY).with("timeout", 600)).await;
    let begun = world.shared("begun");
    world.api.submit_task("flaky", "job", begun.to_string_lossy().into_owned()).await;
    until("the attempt to begin", async || begun.exists().then_some(())).await;
    // That it runs must be on disk: another commit takes it along.
    world.api.task_when("flaky", "job", |status| status == "Running").await;
    assert_eq!(logs(&world, "flaky", "job").await["logs"], json!([{ "attempt": 1, "state": "Running" }]));
    world.crash().await;
    world.api.task_when("flaky", "job", |status| status == "Running").await;
    let found = logs(&world, "flaky", "job").await;
    assert_eq!((&found["logs"][0]["state"], &found["logs"][0]["log"]), (&json!("Lost"), &json!("")));
    assert_eq!(found["logs"][1]["state"], "Running");
    world.api.stop_task("flaky", "job").await;
    world.api.settled("flaky", "job").await;
    let found = logs(&world, "flaky", "job").await;
    assert_eq!(found["logs"][1]["result"], "Stopped");
    assert!(found["logs"][1]["log"].as_str().unwrap().contains("attempt with retry count 0\n"), "{found}");
}

#[tokio::test]
async fn logs_are_cut_to_the_setting_or_not_kept_at_all() {
    for (setting, kept) in [("100", 100), ("0", 0)] {
        let world = World::start_with(&[("BIDE_TASK_LOG_BYTES", setting)]).await;
        world
            .api
            .deploy("wordy", Function::python("def handler(event, context):\n    print('x' * 1000)\n"))
            .await;
        world.api.submit_task("wordy", "job", "").await;
        world.api.settled("wordy", "job").await;
        let log = &logs(&world, "wordy", "job").await["logs"][0];
        assert_eq!(log["log"].as_str().unwrap_or_default().len(), kept, "{log}");
        assert_eq!(log["state"], if kept > 0 { "Kept" } else { "Empty" });
        assert_eq!(log["droppedBytes"].as_u64().is_some_and(|bytes| bytes >= 901), kept > 0, "{log}");
    }
    let refused = run(bide_command(&["serve", "--task-log-bytes", "262145"])).await;
    assert!(
        refused.code != 0 && refused.stderr.contains("task_log_bytes must be 262144 at most"),
        "{refused:?}"
    );
}
