//! The request log: one record for each attempt, with the published fields and nothing of what passes through.

use serde_json::{Value, json};

use crate::support::{Function, World, until};

const CODE: &str = r#"
def handler(event, context):
    print("printed-by-the-code")
    if event.startswith(b"fail"):
        raise ValueError("no")
    return event
"#;

/// The records so far.
fn records(world: &World) -> Vec<Value> {
    let log = world.server.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let records = lines.filter(|line| line["target"] == "bide::request");
    records.map(|mut line| line["fields"].take()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_attempt_leaves_one_record() {
    // Nobody takes the spans; the records name them all the same.
    let tracing = ("BIDE_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let world =
        World::start_with(&[("BIDE_REQUEST_LOG", "true"), ("BIDE_LOG_FORMAT", "json"), tracing]).await;
    world.api.deploy("work", Function::python(CODE)).await;
    let config = json!({ "maxAsyncRetryAttempts": 1, "statefulInvocation": true });
    world.api.configure("work", config).await;
    let answer = world.api.invoke("work", "fine-private-event").await;
    world.api.submit_task("work", "bad", "fail-private-event").await;
    world.api.settled("work", "bad").await;
    let records = until("a record of each attempt", async || {
        let records = records(&world);
        (records.len() >= 3).then_some(records)
    })
    .await;
    assert_eq!(records.len(), 3, "{records:?}");

    let sync = &records[0];
    for (field, expected) in [
        ("operation", json!("InvokeFunction")),
        ("accountId", json!(crate::support::ACCOUNT)),
        ("serviceName", json!("it")),
        ("functionName", json!("work")),
        ("qualifier", json!("LATEST")),
        ("versionId", json!("")),
        ("requestId", json!(answer.header("x-fc-request-id"))),
        ("invocationType", json!("Sync")),
        ("attempt", json!(1)),
        ("instanceID", json!(answer.header("x-fc-instance-id"))),
        ("isColdStart", json!(true)),
        ("hasFunctionError", json!(false)),
        ("errorType", json!("")),
        ("result", json!("Returned")),
    ] {
        assert_eq!(sync[field], expected, "{field} of {sync}");
    }
    assert!(sync["memoryMB"].as_u64().unwrap() >= 128, "{sync}");
    assert!(sync["memoryUsageMB"].as_f64().unwrap() > 0.0, "{sync}");
    assert!(!sync["hostname"].as_str().expect("a name").is_empty(), "{sync}");
    assert_eq!((sync["traceContext"].as_str().map(str::len), &sync["isSampled"]), (Some(53), &json!(true)));
    let time = |field: &str| sync[field].as_f64().unwrap();
    let whole = time("durationMs") + time("scheduleLatencyMs");
    assert!((whole - time("invokeFunctionLatencyMs")).abs() < 0.01, "{sync}");

    // The attempts of one invocation share its request id, and can be told apart.
    let (first, second) = (&records[1], &records[2]);
    assert_eq!(first["requestId"], second["requestId"]);
    assert_eq!((&first["attempt"], &second["attempt"]), (&json!(1), &json!(2)));
    assert_eq!((&first["retryCount"], &second["retryCount"]), (&json!(0), &json!(1)));
    assert_ne!(first["epoch"], second["epoch"]);
    assert_eq!(second["taskId"], "bad");
    assert_eq!(second["errorType"], "FunctionUnhandledError");
    assert_eq!(second["hasFunctionError"], true);
    let all = serde_json::to_string(&records).unwrap();
    assert!(!all.contains("private-event") && !all.contains("printed-by-the-code"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_is_written_unless_it_is_asked_for() {
    let mut world = World::start_with(&[("BIDE_LOG_FORMAT", "json")]).await;
    world.api.deploy("work", Function::python(CODE)).await;
    world.api.invoke("work", "fine").await;
    world.server.stop().await;
    assert!(records(&world).is_empty(), "{}", world.server.log());
}
