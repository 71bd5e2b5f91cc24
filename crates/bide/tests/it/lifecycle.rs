//! From acceptance to the end: delay, retries, expiry, destinations, task ids, and changes of the configuration.

use std::time::Duration;

use bide_env::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::support::{Function, World, code_of, events, status, statuses, until};

/// Says in the journal that it runs, then fails.
const FAILING: &str = r#"
from journal import note

def handler(event, context):
    note(id=event.decode(), retry=context.retry_count, request=context.request_id)
    raise ValueError("always")
"#;

/// Says in the journal that it runs, and returns the event.
const WORKING: &str = r#"
from journal import note

def handler(event, context):
    note(id=event.decode(), retry=context.retry_count, task=context.task_id)
    return event
"#;

/// Runs until the file that the event names exists.
const WAITING: &str = r#"
import os, time
from journal import note

def handler(event, context):
    note(id="begin")
    while not os.path.exists(event.decode()):
        time.sleep(0.01)
    return "done"
"#;

#[tokio::test]
async fn a_function_that_always_fails_runs_four_times_and_its_destination_gets_one_record() {
    let world = World::start().await;
    world.api.deploy("fails", Function::python(FAILING).journal(&world.journal)).await;
    world.collect("fails", json!({})).await;

    world.api.submit_task("fails", "job", "order 7").await;
    let task = world.api.delivered("fails", "job").await;

    assert_eq!(status(&task), "Failed");
    let expected = [
        "Enqueued", "Dequeued", "Running", "Retrying", "Running", "Retrying", "Running", "Retrying",
        "Running", "Failed",
    ];
    assert_eq!(statuses(&task), expected);
    assert_eq!(task["alreadyRetriedTimes"], 3);
    assert_eq!(task["invocationErrorMessage"], "UnhandledInvocationError");
    let runs = world.journal.of("order 7");
    let retries: Vec<_> = runs.iter().map(|run| &run["retry"]).collect();
    assert_eq!(retries, [0, 1, 2, 3]);
    assert!(
        runs.iter().all(|run| run["request"] == task["requestId"]),
        "one request id for all runs: {runs:?}"
    );
    // 0.5 s, 1 s and 2 s lie between them.
    for (pair, wait) in runs.windows(2).zip([500, 1000, 2000]) {
        let waited = pair[1]["at"].as_u64().unwrap() - pair[0]["at"].as_u64().unwrap();
        assert!(waited >= wait, "{runs:?}");
    }

    let records = world.records().await;
    assert_eq!(records.len(), 1, "{records:#?}");
    check_failure_record(&records[0], &task, 4);
    assert_eq!(world.api.ledger("collector").await["accepted"], 1);
}

/// The shape of fc-behaviour 2.2.
fn check_failure_record(record: &Value, task: &Value, runs: u64) {
    let mut record = record.clone();
    let response: Value = serde_json::from_str(record["responsePayload"].as_str().unwrap()).unwrap();
    assert_eq!((&response["errorMessage"], &response["errorType"]), (&json!("always"), &json!("ValueError")));
    let frame = &response["stackTrace"][0];
    assert_eq!(frame[0], "File \"/code/index.py\"", "{response}");
    record["responsePayload"] = Value::Null;
    let expected = json!({
        "timestamp": task["startedTime"],
        "requestContext": {
            "requestId": task["requestId"],
            "functionArn": "acs:fc:local:123456789012:services/it.LATEST/functions/fails",
            "condition": "UnhandledInvocationError",
            "approximateInvokeCount": runs,
        },
        "requestPayload": "order 7",
        "responseContext": { "statusCode": 200, "functionError": "UnhandledInvocationError" },
        "responsePayload": null,
    });
    assert_eq!(record, expected);
}

#[tokio::test]
async fn without_retries_a_failing_function_runs_once() {
    let world = World::start().await;
    world.api.deploy("fails", Function::python(FAILING).journal(&world.journal)).await;
    world.collect("fails", json!({ "maxAsyncRetryAttempts": 0 })).await;

    world.api.submit_task("fails", "job", "order 7").await;
    let task = world.api.delivered("fails", "job").await;

    assert_eq!(statuses(&task), ["Enqueued", "Dequeued", "Running", "Failed"]);
    assert_eq!(world.journal.of("order 7").len(), 1);
    let records = world.records().await;
    assert_eq!(records.len(), 1, "{records:#?}");
    check_failure_record(&records[0], &task, 1);
}

#[tokio::test]
async fn a_success_destination_gets_one_record_with_the_result() {
    let world = World::start().await;
    world.api.deploy("works", Function::python(WORKING).journal(&world.journal)).await;
    world.collect("works", json!({})).await;

    world.api.submit_task("works", "job", "order 8").await;
    let task = world.api.delivered("works", "job").await;

    let expected = json!({
        "timestamp": task["startedTime"],
        "requestContext": {
            "requestId": task["requestId"],
            "functionArn": "acs:fc:local:123456789012:services/it.LATEST/functions/works",
            "condition": "",
            "approximateInvokeCount": 1,
        },
        "requestPayload": "order 8",
        "responseContext": { "statusCode": 200, "functionError": "" },
        "responsePayload": "order 8",
    });
    assert_eq!(world.records().await, [expected]);
    assert_eq!(world.journal.of("order 8")[0]["task"], "job", "the function is told its task id");
}

#[tokio::test]
async fn the_same_task_id_twice_is_accepted_once_and_runs_once() {
    let world = World::start().await;
    for function in ["works", "other"] {
        world.api.deploy(function, Function::python(WORKING).journal(&world.journal)).await;
    }
    let taken = (409, "StatefulAsyncInvocationAlreadyExists".to_owned());

    world.api.submit_task_in("works", "job", 1, "first").await;
    assert_eq!(code_of(world.api.try_submit_task("works", "job", 0, "second").await), taken);
    let task = world.api.settled("works", "job").await;
    assert_eq!(status(&task), "Succeeded");
    assert_eq!(
        code_of(world.api.try_submit_task("works", "job", 0, "third").await),
        taken,
        "settled, still taken"
    );
    world.api.submit_task("other", "job", "of another function").await;
    world.api.settled("other", "job").await;

    let ran: Vec<_> = world.journal.lines().iter().map(|line| line["id"].clone()).collect();
    assert_eq!(ran, ["first", "of another function"]);
    assert_eq!(world.api.ledger("works").await["accepted"], 1);
}

#[tokio::test]
async fn nothing_starts_before_its_delay_is_over() {
    let world = World::start().await;
    world.api.deploy("works", Function::python(WORKING).journal(&world.journal)).await;
    let clock = SystemClock::new();
    let mut due = Vec::new();
    for number in 0..30_u64 {
        let (id, delay) = (format!("job{number}"), number % 3);
        due.push((id.clone(), clock.now().plus(Duration::from_secs(delay)).as_millis()));
        if number < 15 {
            world.api.submit_task_in("works", &id, delay, id.clone()).await;
        } else {
            let delay = ("x-fc-async-delay", delay.to_string());
            world.api.submit("works", id, &[delay]).await.unwrap();
        }
    }
    let deferred = world.api.task("works", "job2").await;
    assert_eq!((status(&deferred), &deferred["endTime"]), ("Enqueued", &json!(0)));

    until("all have run", async || (world.journal.lines().len() == due.len()).then_some(())).await;
    for (id, due) in due {
        let ran_at = world.journal.of(&id)[0]["at"].as_u64().unwrap();
        assert!(ran_at >= due, "{id} ran {} ms early", due - ran_at);
    }
    let task = world.api.settled("works", "job2").await;
    let running = events(&task).iter().find(|event| event["status"] == "Running").unwrap();
    let waited = running["timestamp"].as_u64().unwrap() - task["startedTime"].as_u64().unwrap();
    assert!(waited >= 2000, "{task:#}");
}

#[tokio::test]
async fn work_that_waits_longer_than_its_age_expires_and_never_runs() {
    let world = World::start_with(&[("BIDE_INSTANCES_PER_FUNCTION", "1")]).await;
    let gate = world.shared("gate");
    world.api.deploy("waits", Function::python(WAITING).journal(&world.journal)).await;
    world.collect("waits", json!({ "maxAsyncEventAgeInSeconds": 1 })).await;

    world.api.submit_task("waits", "first", gate.to_string_lossy().into_owned()).await;
    until("the only instance is taken", async || world.journal.lines().first().cloned()).await;
    world.api.submit_task("waits", "late", "never read").await;
    let late = world.api.delivered("waits", "late").await;
    std::fs::write(&gate, "").unwrap();
    let first = world.api.delivered("waits", "first").await;

    assert_eq!(statuses(&late), ["Enqueued", "Expired"]);
    let waited = late["endTime"].as_u64().unwrap() - late["startedTime"].as_u64().unwrap();
    assert!(waited >= 1000, "{late:#}");
    assert_eq!(status(&first), "Succeeded", "age does not end what runs");
    assert_eq!(world.journal.of("begin").len(), 1, "{late:#}");
    let records = world.records().await;
    let contexts: Vec<_> = records.iter().map(|record| &record["requestContext"]).collect();
    assert_eq!(
        (&contexts[0]["condition"], &contexts[0]["approximateInvokeCount"]),
        (&json!("EventAgeExceeded"), &json!(0))
    );
    assert_eq!(contexts[1]["condition"], "");
    let ledger = world.api.ledger("waits").await;
    assert_eq!((&ledger["expired"], &ledger["succeeded"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn a_throttled_task_waits_in_line_and_uses_none_of_its_retries() {
    let world = World::start_with(&[("BIDE_INSTANCES_PER_FUNCTION", "1")]).await;
    let gate = world.shared("gate");
    world.api.deploy("waits", Function::python(WAITING).journal(&world.journal)).await;
    world.api.configure("waits", json!({ "maxAsyncRetryAttempts": 0 })).await;

    let event = gate.to_string_lossy().into_owned();
    world.api.submit_task("waits", "first", event.clone()).await;
    until("the only instance is taken", async || world.journal.lines().first().cloned()).await;
    world.api.submit_task("waits", "second", event).await;
    // What was submitted after it has run elsewhere, so the line has been looked at.
    world.api.deploy("works", Function::python(WORKING).journal(&world.journal)).await;
    world.api.submit_task("works", "neighbour", "").await;
    world.api.settled("works", "neighbour").await;
    assert_eq!(status(&world.api.task("waits", "second").await), "Enqueued");
    std::fs::write(&gate, "").unwrap();

    let second = world.api.settled("waits", "second").await;
    assert_eq!(statuses(&second), ["Enqueued", "Dequeued", "Running", "Succeeded"]);
    assert_eq!(second["alreadyRetriedTimes"], 0);
}

#[tokio::test]
async fn a_change_of_the_configuration_holds_for_work_that_waits() {
    let world = World::start().await;
    world.api.deploy("fails", Function::python(FAILING).journal(&world.journal)).await;
    world.api.configure("fails", json!({ "maxAsyncRetryAttempts": 3 })).await;
    world.api.submit_task_in("fails", "job", 1, "order 7").await;
    world.api.configure("fails", json!({ "maxAsyncRetryAttempts": 0 })).await;

    let task = world.api.settled("fails", "job").await;
    assert_eq!(statuses(&task), ["Enqueued", "Dequeued", "Running", "Failed"]);
    assert_eq!(world.journal.of("order 7").len(), 1);
}

#[tokio::test]
async fn the_task_list_filters_and_pages_and_misses_nothing() {
    let world = World::start().await;
    world.api.deploy("works", Function::python(WORKING).journal(&world.journal)).await;
    for number in 0..105 {
        world.api.submit_task("works", &format!("job{number:03}"), "now").await;
    }
    for number in 0..5 {
        world.api.submit_task_in("works", &format!("later{number}"), 3600, "later").await;
    }
    for number in 0..105 {
        world.api.settled("works", &format!("job{number:03}")).await;
    }

    let all = world.api.tasks("works").await;
    let ids: Vec<_> = all.iter().map(|task| task["invocationId"].as_str().unwrap()).collect();
    let expected: Vec<_> =
        (0..105).map(|n| format!("job{n:03}")).chain((0..5).map(|n| format!("later{n}"))).collect();
    assert_eq!(ids, expected, "every task once, oldest first");

    for (query, count) in [("status=Succeeded", 100), ("status=Enqueued", 5), ("invocationIdPrefix=job10", 5)]
    {
        let path =
            format!("{}/stateful-async-invocations?limit=100&{query}", crate::support::Api::path("works"));
        let page = world.api.client().json(http::Method::GET, &path, None).await.unwrap();
        assert_eq!(page["invocations"].as_array().unwrap().len(), count, "{query}");
        assert_eq!(page["nextToken"].is_string(), count == 100, "{query}");
    }
}
