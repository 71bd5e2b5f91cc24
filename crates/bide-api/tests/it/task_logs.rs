//! What the attempts of a task logged.

use serde_json::json;

use crate::fixture::{ACCOUNT, CONFIG, Edge, SERVICES, START, credential};

fn logs(task: &str) -> String {
    format!("/bide/v1/services/s/functions/f/tasks/{task}/logs")
}

#[tokio::test]
async fn a_task_tells_what_its_attempt_logged_and_how_it_ended() {
    let edge = Edge::with_tasks().await;
    edge.put(CONFIG, json!({"statefulInvocation": true, "maxAsyncRetryAttempts": 0})).await.ok();
    for (id, event) in [("good", "log a line\n;x"), ("bad", "log oh no\n;fail"), ("silent", "x")] {
        edge.submit(&[("x-fc-async-task-id", id), ("x-fc-trace-id", "r-1")], event).await.ok();
    }
    edge.until_status("good", "Succeeded").await;
    let expected = json!({
        "invocationId": "good", "requestId": "r-1", "status": "Succeeded", "attempts": 1,
        "logs": [{
            "attempt": 1, "state": "Kept", "result": "Succeeded", "instanceId": "c-fake",
            "endTime": START.as_millis(), "durationMs": 1, "droppedBytes": 2, "log": "a line\n",
        }],
    });
    assert_eq!(edge.get(&logs("good")).await.json(), expected);
    assert_eq!(edge.get(&format!("{}?attempt=1", logs("good"))).await.json(), expected);
    edge.until_status("bad", "Failed").await;
    let log = &edge.get(&logs("bad")).await.json()["logs"][0];
    assert_eq!((&log["result"], &log["errorType"]), (&json!("Failed"), &json!("UnhandledInvocationError")));
    assert_eq!(log["log"], "oh no\n");
    edge.until_status("silent", "Succeeded").await;
    let silent = edge.get(&logs("silent")).await.json();
    assert_eq!(silent["logs"], json!([{"attempt": 1, "state": "Empty"}]));
}

#[tokio::test]
async fn an_attempt_that_runs_has_no_log_yet_and_a_stopped_one_has_its_own() {
    let edge = Edge::with_tasks().await;
    edge.submit(&[("x-fc-async-task-id", "job")], "log so far\n;hold").await.ok();
    edge.until_status("job", "Running").await;
    assert_eq!(edge.get(&logs("job")).await.json()["logs"], json!([{"attempt": 1, "state": "Running"}]));
    edge.put("/2016-08-15/services/s/functions/f/stateful-async-invocations/job", json!({})).await.ok();
    edge.until_status("job", "Stopped").await;
    let log = &edge.get(&logs("job")).await.json()["logs"][0];
    assert_eq!((&log["result"], &log["log"]), (&json!("Stopped"), &json!("so far\n")));
}

#[tokio::test]
async fn logs_are_those_of_the_callers_own_tasks_only() {
    let mut edge = Edge::with_keys(&[("AKIDEXAMPLE", ACCOUNT), ("AKIDOTHER", "999999999999")]).await;
    edge.send("POST", SERVICES, &[], json!({"serviceName": "s"}).to_string()).await.ok();
    edge.create_function(json!({})).await.ok();
    edge.put(CONFIG, json!({"statefulInvocation": true})).await.ok();
    edge.submit(&[("x-fc-async-task-id", "job")], "log secret\n;x").await.ok();
    edge.until_status("job", "Succeeded").await;
    edge.get(&logs("job")).await.ok();
    let unsigned = edge.send_unsigned("GET", &logs("job"), &[], "").await;
    assert!(unsigned.status == 400 || unsigned.status == 403, "{}", unsigned.status);
    edge.credential = credential("AKIDOTHER", "999999999999");
    edge.get(&logs("job")).await.error(404, "ServiceNotFound");
}

#[tokio::test]
async fn what_is_no_call_about_logs_is_refused() {
    let edge = Edge::with_tasks().await;
    edge.get(&logs("job")).await.error(404, "StatefulAsyncInvocationNotFound");
    edge.get(&logs("a%20b")).await.error(404, "StatefulAsyncInvocationNotFound");
    edge.get("/bide/v1/services/s/functions/x/tasks/job/logs").await.error(404, "FunctionNotFound");
    edge.submit(&[("x-fc-async-task-id", "job")], "x").await.ok();
    edge.until_status("job", "Succeeded").await;
    for attempt in ["0", "x", "2"] {
        edge.get(&format!("{}?attempt={attempt}", logs("job"))).await.error(400, "InvalidArgument");
    }
    edge.put(&logs("job"), json!({})).await.error(400, "PathNotSupported");
    edge.get("/bide/v1/services/s/functions/f/tasks/job").await.error(400, "PathNotSupported");
}
