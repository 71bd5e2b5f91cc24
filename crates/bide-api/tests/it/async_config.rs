//! Asynchronous invocation configurations.

use serde_json::{Value, json};

use crate::fixture::{CONFIG, Edge};

const G: &str = "acs:fc:::services/s/functions/g";

#[tokio::test]
async fn a_configuration_is_put_read_listed_and_deleted() {
    let edge = Edge::new().await;
    let message = edge.get(CONFIG).await.error(404, "AsyncConfigNotExists");
    assert_eq!(message, "AsyncConfig for s:f does not exist.");
    let body = json!({
        "maxAsyncRetryAttempts": 0, "maxAsyncEventAgeInSeconds": 3600, "statefulInvocation": true,
        "destinationConfig": {"onSuccess": {"destination": G}}, "service": "ignored",
    });
    let put = edge.put("/2016-08-15/services/s.LATEST/functions/f/async-invoke-config", body).await.json();
    let expected = json!({
        "service": "s", "function": "f", "qualifier": "LATEST",
        "createdTime": "2024-01-01T00:00:00Z", "lastModifiedTime": "2024-01-01T00:00:00Z",
        "maxAsyncRetryAttempts": 0, "maxAsyncEventAgeInSeconds": 3600, "statefulInvocation": true,
        "destinationConfig": {"onSuccess": {"destination": G}},
    });
    assert_eq!(put, expected);
    assert_eq!(edge.get("/2016-08-15/services/s./functions/f/async-invoke-config").await.json(), expected);
    assert_eq!(edge.get(&format!("{CONFIG}s?limit=10")).await.json(), json!({"configs": [expected]}));
    assert_eq!(edge.delete(CONFIG).await.status, 204);
    edge.delete(CONFIG).await.error(404, "AsyncConfigNotExists");
    assert_eq!(edge.get(&format!("{CONFIG}s")).await.json(), json!({"configs": []}));
}

#[tokio::test]
async fn a_put_is_partial_and_an_empty_destination_is_taken_away() {
    let edge = Edge::new().await;
    edge.put(
        CONFIG,
        json!({"maxAsyncRetryAttempts": 2, "destinationConfig": {"onFailure": {"destination": G}}}),
    )
    .await
    .ok();
    // As the Go library does: all fields, null for those not set.
    let config = edge
        .put(
            CONFIG,
            json!({
                "maxAsyncRetryAttempts": null, "maxAsyncEventAgeInSeconds": 60, "statefulInvocation": null,
                "destinationConfig": null,
            }),
        )
        .await
        .json();
    assert_eq!(
        (&config["maxAsyncRetryAttempts"], &config["maxAsyncEventAgeInSeconds"]),
        (&json!(2), &json!(60))
    );
    assert_eq!(config["destinationConfig"], json!({"onFailure": {"destination": G}}));
    assert_eq!(config.get("statefulInvocation"), None);
    let config =
        edge.put(CONFIG, json!({"destinationConfig": {"onFailure": {"destination": ""}}})).await.json();
    assert_eq!((&config["destinationConfig"], &config["maxAsyncRetryAttempts"]), (&json!({}), &json!(2)));
}

#[tokio::test]
async fn each_wrong_field_is_named() {
    let edge = Edge::new().await;
    let to = |destination: &str| json!({"destinationConfig": {"onSuccess": {"destination": destination}}});
    for (body, says) in [
        (json!({"maxAsyncRetryAttempts": 9}), "'maxAsyncRetryAttempts' must be a whole number from 0 to 8"),
        (json!({"maxAsyncRetryAttempts": "3"}), "'maxAsyncRetryAttempts'"),
        (json!({"maxAsyncEventAgeInSeconds": 0}), "'maxAsyncEventAgeInSeconds'"),
        (json!({"maxAsyncEventAgeInSeconds": 2_592_001}), "'maxAsyncEventAgeInSeconds'"),
        (json!({"statefulInvocation": 1}), "'statefulInvocation'"),
        (json!({"destinationConfig": {"onSuccess": "x"}}), "'destinationConfig.onSuccess' must be an object"),
        (to("acs:mns:local:123456789012:/queues/q/messages"), "[[destinations]]"),
        (to("acs:mns:local:123456789012:/queues/q"), "'destinationConfig.onSuccess.destination'"),
        (to(&"x".repeat(513)), "at most 512 characters"),
        (to("acs:fc:::services/s/functions/f"), "cannot be its own destination"),
        (to("acs:fc::10002:services/s/functions/g"), "same account"),
    ] {
        let message = edge.put(CONFIG, body).await.error(400, "InvalidArgument");
        assert!(message.contains(says), "{message}");
    }
    let broken = edge.send("PUT", CONFIG, &[], "{\"maxAsyncRetryAttempts\":").await;
    assert!(broken.error(400, "InvalidArgument").contains("not valid JSON"));
    edge.get(CONFIG).await.error(404, "AsyncConfigNotExists");
    for (path, code) in [
        ("t/functions/f", "ServiceNotFound"),
        ("s/functions/x", "FunctionNotFound"),
        ("s.1/functions/f", "VersionNotFound"),
        ("s.prod/functions/f", "AliasNotFound"),
    ] {
        let target = format!("/2016-08-15/services/{path}/async-invoke-config");
        edge.put(&target, Value::Object(serde_json::Map::new())).await.error(404, code);
    }
}

/// fc-behaviour 2.1: only an event function can be a destination.
#[tokio::test]
async fn a_function_with_an_http_trigger_is_no_destination() {
    let edge = Edge::with_trigger().await;
    let path = "/2016-08-15/services/s/functions/g/async-invoke-config";
    let to = |destination: &str| json!({"destinationConfig": {"onFailure": {"destination": destination}}});
    let message = edge.put(path, to("acs:fc:::services/s/functions/f")).await.error(400, "InvalidArgument");
    assert!(message.contains("has an HTTP trigger"), "{message}");
    edge.put(path, to("acs:fc:::services/s/functions/later")).await.ok();
}
