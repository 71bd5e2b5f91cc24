//! Triggers: create, get, update, delete, list.

use serde_json::{Value, json};

use crate::fixture::{Edge, FUNCTION, TRIGGERS};

fn config() -> Value {
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
    let made = edge.create_trigger("web", config()).await;
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
    edge.create_trigger("web", config()).await.ok();
    edge.create_trigger("web", config()).await.error(409, "TriggerAlreadyExists");
    let message = edge.create_trigger("other", config()).await.error(409, "TriggerAlreadyExists");
    assert!(message.contains("'web'"), "{message}");
    let listed = edge.get(TRIGGERS).await.json();
    assert_eq!(listed["triggers"].as_array().map(Vec::len), Some(1));
    assert_eq!(listed.get("nextToken"), None);
}

#[tokio::test]
async fn a_function_with_triggers_is_not_deleted() {
    let edge = Edge::new().await;
    edge.create_trigger("web", config()).await.ok();
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
        let mut body = json!({"triggerName": "web", "triggerType": "http", "triggerConfig": config()});
        for (field, value) in changes.as_object().expect("an object") {
            body[field] = value.clone();
        }
        let message = edge.send("POST", TRIGGERS, &[], body.to_string()).await.error(400, "InvalidArgument");
        assert!(message.contains(part), "{message}");
    };
    let with = |field: &str, value: Value| {
        let mut config = config();
        config[field] = value;
        json!({"triggerConfig": config})
    };
    refused(json!({"triggerName": null}), "triggerName").await;
    refused(json!({"triggerName": "1"}), "trigger name").await;
    refused(json!({"triggerType": null}), "triggerType").await;
    refused(json!({"triggerType": "oss"}), "not supported yet").await;
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
