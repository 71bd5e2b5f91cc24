//! Triggers: create, get, update, delete, list.

use serde_json::{Value, json};

use crate::fixture::{Edge, FUNCTION, TRIGGERS};

fn config_of_http() -> Value {
    json!({"authType": "anonymous", "methods": ["POST", "GET"]})
}

#[tokio::test]
async fn a_trigger_is_what_was_said_and_defaults_for_the_rest() {
    let edge = Edge::new().await;
    let body = json!({
        "triggerName": "web", "triggerType": "http", "description": "d", "qualifier": "LATEST",
        "sourceArn": "acs:x", "invocationRole": "acs:ram::1:role/r", "triggerConfig": {"methods": ["POST", "GET"]},
    });
    let made = edge.send("POST", TRIGGERS, &[("host", "10.0.0.1:9")], body.to_string()).await.json();
    assert_eq!((&made["triggerName"], &made["triggerType"]), (&json!("web"), &json!("http")));
    assert_eq!((&made["description"], &made["qualifier"]), (&json!("d"), &json!("LATEST")));
    assert_eq!((&made["sourceArn"], &made["invocationRole"]), (&json!("acs:x"), &json!("acs:ram::1:role/r")));
    assert_eq!(
        made["triggerConfig"],
        json!({
            "authType": "function", "methods": ["GET", "POST"], "disableURLInternet": false, "payloadFormat": "handler"
        })
    );
    assert!(made["triggerId"].as_str().is_some_and(|id| !id.is_empty()));
    assert_eq!(made["createdTime"], "2024-01-01T00:00:00Z");
    assert_eq!(made["lastModifiedTime"], made["createdTime"]);
    assert_eq!(made["urlInternet"], made["urlIntranet"]);
    let read = edge.send("GET", &format!("{TRIGGERS}/web"), &[("host", "10.0.0.1:9")], "").await;
    assert_eq!(read.json(), made);
    let elsewhere = edge.get(&format!("{TRIGGERS}/web")).await;
    assert_eq!(elsewhere.header("etag"), read.header("etag"), "the same trigger, however it is reached");
    assert_ne!(elsewhere.json()["urlInternet"], made["urlInternet"]);
}

#[tokio::test]
async fn an_update_changes_what_it_names() {
    let edge = Edge::new().await;
    let made = edge.create_trigger("web", config_of_http()).await;
    let tag = made.header("etag").expect("given").to_owned();
    let path = format!("{TRIGGERS}/web");
    let update = json!({"description": "new", "triggerConfig": {"payloadFormat": "event"}}).to_string();
    let changed = edge.send("PUT", &path, &[("if-match", &tag)], update.clone()).await.json();
    assert_eq!((&changed["description"], &changed["triggerId"]), (&json!("new"), &made.json()["triggerId"]));
    assert_eq!(
        changed["triggerConfig"],
        json!({
            "authType": "anonymous", "methods": ["GET", "POST"], "disableURLInternet": false, "payloadFormat": "event"
        })
    );
    edge.send("PUT", &path, &[("if-match", &tag)], update).await.error(412, "PreconditionFailed");
    edge.send("DELETE", &path, &[("if-match", &tag)], "").await.error(412, "PreconditionFailed");
    let as_text = json!({"triggerConfig": r#"{"methods": ["PUT"]}"#});
    assert_eq!(edge.put(&path, as_text).await.json()["triggerConfig"]["methods"], json!(["PUT"]));
    edge.put(&path, json!({"qualifier": "prod"})).await.error(404, "AliasNotFound");
}

#[tokio::test]
async fn names_and_http_triggers_are_unique() {
    let edge = Edge::new().await;
    edge.create_trigger("web", config_of_http()).await.ok();
    edge.create_trigger("web", config_of_http()).await.error(409, "TriggerAlreadyExists");
    let message = edge.create_trigger("other", config_of_http()).await.error(409, "TriggerAlreadyExists");
    assert!(message.contains("'web'"), "{message}");
    let listed = edge.get(TRIGGERS).await.json();
    assert_eq!(listed["triggers"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed.get("nextToken"), None);
}

#[tokio::test]
async fn a_function_with_triggers_is_not_deleted() {
    let edge = Edge::new().await;
    edge.create_trigger("web", config_of_http()).await.ok();
    let message = edge.delete(FUNCTION).await.error(409, "FunctionNotEmpty");
    assert_eq!(message, "function 'f' has active triggers");
    assert_eq!(edge.delete(&format!("{TRIGGERS}/web")).await.status, 204);
    for reply in [
        edge.get(&format!("{TRIGGERS}/web")).await,
        edge.put(&format!("{TRIGGERS}/web"), json!({})).await,
        edge.delete(&format!("{TRIGGERS}/web")).await,
    ] {
        reply.error(404, "TriggerNotFound");
    }
    edge.delete(FUNCTION).await.ok();
    edge.get(TRIGGERS).await.error(404, "FunctionNotFound");
}

#[tokio::test]
async fn what_a_trigger_cannot_be_is_refused() {
    let edge = Edge::new().await;
    let refused = async |changes: Value, part: &str| {
        let mut body =
            json!({"triggerName": "web", "triggerType": "http", "triggerConfig": config_of_http()});
        for (field, value) in changes.as_object().expect("an object") {
            body[field] = value.clone();
        }
        let message = edge.send("POST", TRIGGERS, &[], body.to_string()).await.error(400, "InvalidArgument");
        assert!(message.contains(part), "{message}");
    };
    let with = |field: &str, value: Value| {
        let mut config = config_of_http();
        config[field] = value;
        json!({"triggerConfig": config})
    };
    refused(json!({"triggerName": null}), "triggerName").await;
    refused(json!({"triggerName": "1"}), "trigger name").await;
    refused(json!({"triggerType": null}), "triggerType").await;
    refused(json!({"triggerType": "cdn_events"}), "not supported yet").await;
    refused(json!({"triggerType": "pigeon"}), "unknown").await;
    refused(json!({"triggerConfig": null}), "triggerConfig").await;
    refused(json!({"triggerConfig": "no JSON"}), "triggerConfig").await;
    refused(with("authType", json!("jwt")), "jwt").await;
    refused(with("authConfig", json!("{}")), "jwt").await;
    refused(with("authType", json!("other")), "authType").await;
    refused(with("methods", json!([])), "methods").await;
    refused(with("methods", json!(null)), "triggerConfig.methods").await;
    refused(with("methods", json!(["TRACE"])), "TRACE").await;
    refused(with("payloadFormat", json!("xml")), "payloadFormat").await;
    refused(with("disableURLInternet", json!("yes")), "disableURLInternet").await;
    assert_eq!(edge.get(TRIGGERS).await.json()["triggers"], json!([]));
}

#[tokio::test]
async fn a_timer_is_what_was_said_and_keeps_what_an_update_leaves_out() {
    let edge = Edge::new().await;
    let body = json!({
        "triggerName": "nightly", "triggerType": "timer",
        "triggerConfig": {"cronExpression": "CRON_TZ=Asia/Shanghai 0 30 2 * * MON-FRI", "payload": "p"},
    });
    let made = edge.send("POST", TRIGGERS, &[], body.to_string()).await.json();
    let config =
        json!({"cronExpression": "CRON_TZ=Asia/Shanghai 0 30 2 * * MON-FRI", "payload": "p", "enable": true});
    assert_eq!((&made["triggerType"], &made["triggerConfig"]), (&json!("timer"), &config));
    assert_eq!(made.get("urlInternet"), None, "it has no address");
    let path = format!("{TRIGGERS}/nightly");
    assert_eq!(edge.get(&path).await.json(), made);
    let off = edge.put(&path, json!({"triggerConfig": {"enable": false}})).await.json();
    assert_eq!(
        off["triggerConfig"],
        json!({"enable": false, "payload": "p", "cronExpression": config["cronExpression"]})
    );
    let as_text = json!({"triggerConfig": r#"{"cronExpression": "@every 5m", "enable": true}"#});
    let changed = edge.put(&path, as_text).await.json();
    assert_eq!(
        changed["triggerConfig"],
        json!({"enable": true, "payload": "p", "cronExpression": "@every 5m"})
    );
    edge.create_trigger("web", config_of_http()).await.ok();
    let listed = edge.get(TRIGGERS).await.json();
    let kinds: Vec<_> =
        listed["triggers"].as_array().expect("a list").iter().map(|t| &t["triggerType"]).collect();
    assert_eq!(kinds, ["timer", "http"]);
    let timers = edge.get("/bide/v1/timers").await.json();
    assert_eq!(timers["timers"].as_array().map(Vec::len), Some(1));
    assert_eq!(timers["timers"][0]["nextTick"], "2024-01-01T00:05:00Z");
    assert_eq!(edge.delete(&path).await.status, 204);
    assert_eq!(edge.get("/bide/v1/timers").await.json()["timers"], json!([]));
}

#[tokio::test]
async fn what_a_timer_cannot_be_is_refused() {
    let edge = Edge::new().await;
    for (config, part) in [
        (json!({}), "triggerConfig.cronExpression"),
        (json!({"cronExpression": "* * * * * *"}), "second '*'"),
        (json!({"cronExpression": "@every 10s"}), "one minute"),
        (json!({"cronExpression": "CRON_TZ=Mars/Olympus 0 * * * * *"}), "Mars/Olympus"),
        (json!({"cronExpression": "0".repeat(257)}), "at most 256 characters"),
        (json!({"cronExpression": "@every 1m", "enable": "yes"}), "triggerConfig.enable"),
        (json!({"cronExpression": "@every 1m", "payload": {}}), "triggerConfig.payload"),
        (json!({"cronExpression": "@every 1m", "payload": "x".repeat(131_072)}), "131072"),
    ] {
        let body = json!({"triggerName": "t", "triggerType": "timer", "triggerConfig": config});
        let message = edge.send("POST", TRIGGERS, &[], body.to_string()).await.error(400, "InvalidArgument");
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(edge.get(TRIGGERS).await.json()["triggers"], json!([]));
}
