//! Stops and timeouts: what must not run does not, and what ran is gone with all its processes.

use serde_json::json;

use crate::support::{Function, World, code_of, is_alive, status, statuses, text, until};

/// Starts a child that would outlive it, says so in the journal, and goes on for ever.
const STUBBORN: &str = r#"
import signal, subprocess, time
from journal import note

def handler(event, context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1000; done"])
    note(id=event.decode())
    time.sleep(1000)
"#;

const WORKING: &str = r#"
from journal import note

def handler(event, context):
    note(id=event.decode())
    return "done"
"#;

/// Waits for the journal's line about `id`, and returns the process of the function and what it started.
async fn processes(world: &World, id: &str) -> Vec<u64> {
    let line = until(&format!("{id} runs"), async || world.journal.of(id).pop()).await;
    let processes = world.processes_of(line["instance"].as_str().unwrap());
    assert!(processes.len() > 1, "{processes:?}");
    processes
}

/// Waits for the process of an instance that serves `id`, and its child, to have been seen and to be gone.
async fn came_and_went(world: &World, id: &str) -> String {
    let line = until(&format!("{id} runs"), async || world.journal.of(id).pop()).await;
    let instance = line["instance"].as_str().unwrap().to_owned();
    let are_gone = async || world.processes_of(&instance).is_empty().then_some(());
    until("the processes are gone", are_gone).await;
    instance
}

#[tokio::test]
async fn a_deferred_task_that_is_stopped_never_runs() {
    let world = World::start().await;
    world.api.deploy("works", Function::python(WORKING).journal(&world.journal)).await;
    world.api.submit_task_in("works", "stopped", 1, "stopped").await;
    world.api.submit_task_in("works", "after", 2, "after").await;

    world.api.stop_task("works", "stopped").await;
    let stopped = world.api.task("works", "stopped").await;
    assert_eq!(statuses(&stopped), ["Enqueued", "Stopped"], "at once");
    assert_ne!(stopped["endTime"], 0);

    // A second later than the stopped task would have.
    world.api.settled("works", "after").await;
    assert!(world.journal.of("stopped").is_empty());
    assert_eq!(world.journal.of("after").len(), 1);
    world.api.stop_task("works", "stopped").await;
    assert_eq!(
        statuses(&world.api.task("works", "stopped").await),
        ["Enqueued", "Stopped"],
        "nothing changes"
    );
    let taken = code_of(world.api.try_submit_task("works", "stopped", 0, "again").await);
    assert_eq!(taken.1, "StatefulAsyncInvocationAlreadyExists");
}

#[tokio::test]
async fn a_running_task_that_is_stopped_ends_with_all_its_processes() {
    let world = World::start().await;
    world.api.deploy("stubborn", Function::python(STUBBORN).journal(&world.journal)).await;
    world.api.submit_task("stubborn", "job", "job").await;
    world.api.submit_task("stubborn", "neighbour", "neighbour").await;
    let (own, neighbours) = (processes(&world, "job").await, processes(&world, "neighbour").await);
    assert!(own.iter().copied().all(is_alive));

    world.api.stop_task("stubborn", "job").await;
    let stopping = world.api.task("stubborn", "job").await;
    assert_eq!(status(&stopping), "Stopping", "it does not end by itself: {stopping:#}");
    let stopped = world.api.settled("stubborn", "job").await;
    assert_eq!(statuses(&stopped), ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]);
    assert!(!own.into_iter().any(is_alive), "what is Stopped does not run");

    assert!(neighbours.into_iter().all(is_alive), "others are left alone");
    assert_eq!(status(&world.api.task("stubborn", "neighbour").await), "Running");
    let ledger = world.api.ledger("stubborn").await;
    assert_eq!((&ledger["stopped"], &ledger["running"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_stop_that_a_crash_interrupts_is_carried_out_after_the_restart() {
    const DEAF: &str = r#"
import signal, time
from journal import note

def handler(event, context):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    note(id=event.decode())
    time.sleep(1000)
"#;
    let mut world = World::start().await;
    world.api.deploy("deaf", Function::python(DEAF).journal(&world.journal)).await;
    world.api.submit_task("deaf", "job", "job").await;
    until("it runs", async || world.journal.of("job").pop()).await;
    world.api.stop_task("deaf", "job").await;
    assert_eq!(status(&world.api.task("deaf", "job").await), "Stopping");

    world.crash().await;
    let stopped = world.api.settled("deaf", "job").await;
    assert_eq!(statuses(&stopped), ["Enqueued", "Dequeued", "Running", "Stopping", "Stopped"]);
    assert_eq!(world.journal.of("job").len(), 1, "it does not run again");
}

#[tokio::test]
async fn a_stop_tells_the_failure_destination() {
    let world = World::start().await;
    world.api.deploy("works", Function::python(WORKING).journal(&world.journal)).await;
    world.collect("works", json!({})).await;

    world.api.submit_task_in("works", "job", 3600, "job").await;
    world.api.stop_task("works", "job").await;
    world.api.delivered("works", "job").await;
    let records = world.records().await;
    assert_eq!(records.len(), 1, "{records:#?}");
    let context = &records[0]["requestContext"];
    assert_eq!(context["condition"], "InvocationStopped");
    assert_eq!(context["approximateInvokeCount"], 0);
}

#[tokio::test]
async fn a_timeout_ends_the_attempt_with_all_its_processes() {
    let world = World::start().await;
    world.api.deploy("stubborn", Function::python(STUBBORN).journal(&world.journal).with("timeout", 1)).await;
    world.collect("stubborn", json!({ "maxAsyncRetryAttempts": 1 })).await;

    world.api.submit_task("stubborn", "job", "job").await;
    processes(&world, "job").await;
    let first = came_and_went(&world, "job").await;
    let task = world.api.delivered("stubborn", "job").await;

    assert_eq!(statuses(&task), ["Enqueued", "Dequeued", "Running", "Retrying", "Running", "Failed"]);
    assert_eq!(task["invocationErrorMessage"], "UnhandledInvocationError");
    assert_eq!(world.records().await[0]["requestContext"]["condition"], "FunctionTimeoutError");
    let second = came_and_went(&world, "job").await;
    assert_ne!(first, second, "a new instance");

    let answer = world.api.invoke("stubborn", "sync").await;
    assert_eq!((answer.status, answer.header("x-fc-error-type")), (200, "UnhandledInvocationError"));
    assert!(text(&answer).contains("Function timed out after 1 seconds"), "{}", text(&answer));
    came_and_went(&world, "sync").await;
}
