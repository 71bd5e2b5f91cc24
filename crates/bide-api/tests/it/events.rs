//! Events over HTTP: which there are, what they lead to, and who may send them.

use serde_json::{Value, json};

use crate::fixture::{Edge, FUNCTION, Reply, TASKS, TRIGGERS};

const EVENTS: &str = "/bide/v1/events";
const STORAGE: &str = "/bide/v1/s3-notifications";
const STRUCTURED: &[(&str, &str)] = &[("content-type", "application/cloudevents+json; charset=utf-8")];
const BATCH: &[(&str, &str)] = &[("content-type", "application/cloudevents-batch+json")];

async fn trigger(edge: &Edge, name: &str, kind: &str, config: Value) -> Reply {
    let body = json!({
        "triggerName": name, "triggerType": kind, "triggerConfig": config, "sourceArn": "acs:oss:local:123456789012:pictures",
    });
    edge.send("POST", TRIGGERS, &[], body.to_string()).await
}

fn event(id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/shop", "type": "order.made"})
}

async fn post(edge: &Edge, path: &str, headers: &[(&str, &str)], body: impl Into<axum::body::Body>) -> Reply {
    edge.send("POST", path, headers, body).await
}

/// What the answer to accepted events says: events, invocations and repetitions.
#[track_caller]
fn counts(reply: &Reply) -> [u64; 3] {
    assert_eq!(reply.status, 202, "{}", String::from_utf8_lossy(&reply.body));
    let body: Value = serde_json::from_slice(&reply.body).expect("JSON");
    ["events", "invocations", "repeated"].map(|field| body[field].as_u64().expect("a number"))
}

/// The events that the tasks of `f` were given, oldest first.
async fn payloads(edge: &Edge) -> Vec<Value> {
    let list = edge.get(&format!("{TASKS}?includePayload=true&sortOrderByTime=asc")).await.json();
    let tasks = list["invocations"].as_array().expect("a list").clone();
    let read = |task: &Value| serde_json::from_str(task["invocationPayload"].as_str().expect("a text"));
    tasks.iter().map(|task| read(task).expect("JSON")).collect()
}

#[tokio::test]
async fn each_mode_ends_as_the_same_event_for_the_function() {
    let edge = Edge::new().await;
    trigger(&edge, "all", "eventbridge", json!({})).await.ok();
    let mut structured = event("1");
    structured["data"] = json!({"n": 1});
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, structured.to_string()).await), [1, 1, 0]);
    let binary = [
        ("ce-specversion", "1.0"),
        ("ce-id", "2"),
        ("ce-source", "/shop"),
        ("ce-type", "order.made"),
        ("ce-subject", "caf%C3%A9"),
        ("content-type", "application/json"),
    ];
    assert_eq!(counts(&post(&edge, EVENTS, &binary, r#"{"n": 12345678901234567890123}"#).await), [1, 1, 0]);
    let octets = [&binary[..1], &[("ce-id", "3")], &binary[2..4], &[("content-type", "image/png")]].concat();
    assert_eq!(counts(&post(&edge, EVENTS, &octets, vec![0_u8, 255]).await), [1, 1, 0]);
    let text = [&binary[..1], &[("ce-id", "4")], &binary[2..4], &[("content-type", "text/plain")]].concat();
    assert_eq!(counts(&post(&edge, EVENTS, &text, "a \"text\"").await), [1, 1, 0]);
    let batch = json!([event("5"), event("6")]).to_string();
    assert_eq!(counts(&post(&edge, EVENTS, BATCH, batch).await), [2, 2, 0]);
    let got = payloads(&edge).await;
    let with = |id: &str, more: Value| {
        let mut event = event(id);
        more.as_object().expect("an object").iter().for_each(|(name, value)| event[name] = value.clone());
        event
    };
    let number: Value = serde_json::from_str("12345678901234567890123").expect("a number");
    let expected = [
        structured,
        with("2", json!({"subject": "café", "datacontenttype": "application/json", "data": {"n": number}})),
        with("3", json!({"datacontenttype": "image/png", "data_base64": "AP8="})),
        with("4", json!({"datacontenttype": "text/plain", "data": "a \"text\""})),
    ];
    assert_eq!(got[..4], expected);
    assert_eq!(got.len(), 6);
    let raw = edge.get(&format!("{TASKS}?includePayload=true")).await;
    assert!(
        String::from_utf8_lossy(&raw.body).contains("12345678901234567890123"),
        "data is handed over as it was sent"
    );
}

#[tokio::test]
async fn an_event_sent_again_is_the_same_task() {
    let edge = Edge::new().await;
    trigger(&edge, "one", "eventbridge", json!({})).await.ok();
    trigger(&edge, "two", "eventbridge", json!({"eventRuleFilterPattern": "{\"source\":[\"/shop\"]}"}))
        .await
        .ok();
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, event("1").to_string()).await), [1, 2, 0]);
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, event("1").to_string()).await), [1, 0, 2]);
    let batch = json!([event("1"), event("2"), event("2")]).to_string();
    assert_eq!(counts(&post(&edge, EVENTS, BATCH, batch).await), [3, 2, 4]);
    let mut elsewhere = event("1");
    elsewhere["source"] = json!("/other");
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, elsewhere.to_string()).await), [1, 1, 0]);
    assert_eq!(payloads(&edge).await.len(), 5);
}

#[tokio::test]
async fn a_trigger_sees_what_fits_while_it_is_enabled() {
    let edge = Edge::new().await;
    let config = json!({"eventRuleFilterPattern": r#"{"type":[{"prefix":"order."}]}"#});
    trigger(&edge, "orders", "eventbridge", config).await.ok();
    let mut other = event("1");
    other["type"] = json!("bill.made");
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, other.to_string()).await), [1, 0, 0]);
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, event("2").to_string()).await), [1, 1, 0]);
    let path = format!("{TRIGGERS}/orders");
    edge.put(&path, json!({"triggerConfig": {"triggerEnable": false}})).await.ok();
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, event("3").to_string()).await), [1, 0, 0]);
    edge.put(&path, json!({"triggerConfig": {"triggerEnable": true}})).await.ok();
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, event("4").to_string()).await), [1, 1, 0]);
    edge.delete(&path).await.ok();
    assert_eq!(counts(&post(&edge, EVENTS, STRUCTURED, event("5").to_string()).await), [1, 0, 0]);
    edge.delete(FUNCTION).await.ok();
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_submits_nothing() {
    let edge = Edge::new().await;
    trigger(&edge, "all", "eventbridge", json!({})).await.ok();
    let mut cases = vec![
        (STRUCTURED.to_vec(), "[]".to_owned(), "not a JSON object"),
        (
            STRUCTURED.to_vec(),
            r#"{"specversion":"0.3","id":"1","source":"s","type":"t"}"#.to_owned(),
            "specversion",
        ),
        (vec![("content-type", "application/json")], "{}".to_owned(), "holds no event"),
        (vec![("content-type", "application/cloudevents+avro")], String::new(), "send JSON"),
        (BATCH.to_vec(), "{}".to_owned(), "list of events"),
        (BATCH.to_vec(), json!([event("1"), {}]).to_string(), "event 1"),
        (BATCH.to_vec(), json!(vec![event("1"); 257]).to_string(), "at most 256"),
        (vec![("ce-specversion", "1.0"), ("ce-id", "%FF")], String::new(), "ce-id"),
    ];
    for (field, value, part) in [
        ("id", json!(""), "'id' is required"),
        ("source", json!(null), "'source' is required"),
        ("type", json!(1), "'type' is required"),
        ("Upper", json!("x"), "lower-case"),
        ("list", json!([]), "'list'"),
        ("half", json!(0.5), "'half'"),
        ("data_base64", json!("*"), "base64"),
    ] {
        let mut event = event("1");
        event[field] = value;
        cases.push((STRUCTURED.to_vec(), event.to_string(), part));
    }
    for (headers, body, part) in cases {
        let message = post(&edge, EVENTS, &headers, body).await.error(400, "InvalidArgument");
        assert!(message.contains(part), "{message}");
    }
    let mut large = event("1");
    large["data"] = json!("x".repeat(128 * 1024));
    let batch = json!([event("2"), large]).to_string();
    post(&edge, EVENTS, BATCH, batch).await.error(400, "EntityTooLarge");
    post(&edge, EVENTS, STRUCTURED, "x".repeat(1024 * 1024 + 1)).await.error(400, "EntityTooLarge");
    assert_eq!(payloads(&edge).await, Vec::<Value>::new());
}

#[tokio::test]
async fn nobody_sends_events_without_proof() {
    let edge = Edge::new().await;
    trigger(&edge, "all", "eventbridge", json!({})).await.ok();
    for path in [EVENTS, STORAGE] {
        let body = event("1").to_string();
        edge.send_unsigned("POST", path, STRUCTURED, body.clone()).await.error(400, "MissingRequiredHeader");
        let bearer = [("authorization", "Bearer x"), STRUCTURED[0]];
        edge.send_unsigned("POST", path, &bearer, body.clone()).await.error(403, "AccessDenied");
        let wrong = [
            ("authorization", "FC AKIDEXAMPLE:AAAA"),
            ("date", "Mon, 01 Jan 2024 00:00:00 GMT"),
            STRUCTURED[0],
        ];
        edge.send_unsigned("POST", path, &wrong, body).await.error(403, "SignatureNotMatch");
    }
    assert_eq!(payloads(&edge).await, Vec::<Value>::new());
}

fn record(name: &str, key: &str, sequencer: &str) -> Value {
    json!({
        "eventVersion": "2.0", "eventSource": "minio:s3", "awsRegion": "eu", "eventTime": "2024-01-01T00:00:00.000Z",
        "eventName": name, "userIdentity": {"principalId": "p"},
        "requestParameters": {"sourceIPAddress": "10.0.0.1"}, "responseElements": {"x-amz-request-id": "q"},
        "s3": {
            "s3SchemaVersion": "1.0", "configurationId": "Config",
            "bucket": {"name": "pictures", "ownerIdentity": {"principalId": "o"}, "arn": "arn:aws:s3:::pictures"},
            "object": {"key": key, "size": 3, "eTag": "abc", "sequencer": sequencer},
        },
    })
}

#[tokio::test]
async fn a_notification_is_one_invocation_for_each_record_that_fits() {
    let edge = Edge::new().await;
    let config = json!({
        "events": ["oss:ObjectCreated:*", "oss:ObjectRemoved:DeleteObject"],
        "filter": {"key": {"prefix": "in/", "suffix": ".png"}},
    });
    trigger(&edge, "pictures", "oss", config).await.ok();
    let records = json!({"EventName": "s3:ObjectCreated:Put", "Key": "pictures/x", "Records": [
        record("s3:ObjectCreated:Put", "in%2Fa+b%2B%C3%BC.png", "1"),
        record("ObjectRemoved:Delete", "in/gone.png", "2"),
        record("s3:ObjectCreated:Put", "out/c.png", "3"),
        record("s3:ObjectAccessed:Get", "in/d.png", "4"),
    ]});
    assert_eq!(counts(&post(&edge, STORAGE, &[], records.to_string()).await), [3, 2, 0]);
    assert_eq!(counts(&post(&edge, STORAGE, &[], records.to_string()).await), [3, 0, 2]);
    let got = payloads(&edge).await;
    let mut seen: Vec<_> = got
        .iter()
        .map(|event| {
            (event["events"][0]["eventName"].clone(), event["events"][0]["oss"]["object"]["key"].clone())
        })
        .collect();
    seen.sort_by_key(|(name, _)| name.to_string());
    assert_eq!(
        seen,
        [
            (json!("ObjectCreated:PutObject"), json!("in/a b+ü.png")),
            (json!("ObjectRemoved:DeleteObject"), json!("in/gone.png")),
        ]
    );
    let plain = json!({"Records": [record("s3:ObjectCreated:Put", "in/a+b%41.png", "5")]}).to_string();
    assert_eq!(counts(&post(&edge, &format!("{STORAGE}?keys=plain"), &[], plain).await), [1, 1, 0]);
    assert!(
        payloads(&edge)
            .await
            .iter()
            .any(|event| event["events"][0]["oss"]["object"]["key"] == "in/a+b%41.png")
    );
    let test =
        json!({"Service": "S3", "Event": "s3:TestEvent", "Time": "2024-01-01T00:00:00Z", "Bucket": "b"});
    assert_eq!(counts(&post(&edge, STORAGE, &[], test.to_string()).await), [0, 0, 0]);
    for (body, part) in [
        ("{}", "no Records"),
        ("[]", "no notification"),
        (r#"{"Records": [{}]}"#, "record 0"),
        (r#"{"Event": "other"}"#, "no Records"),
    ] {
        let message = post(&edge, STORAGE, &[], body).await.error(400, "InvalidArgument");
        assert!(message.contains(part), "{message}");
    }
    post(&edge, &format!("{STORAGE}?keys=odd"), &[], "{}").await.error(400, "InvalidArgument");
}

#[tokio::test]
async fn the_triggers_are_what_was_said_and_keep_what_an_update_leaves_out() {
    let edge = Edge::new().await;
    let made = trigger(&edge, "bus", "eventbridge", json!({})).await.json();
    let config = |enabled: bool, pattern: &str| {
        json!({
            "triggerEnable": enabled, "asyncInvocationType": true, "eventRuleFilterPattern": pattern,
            "eventSourceConfig": {"eventSourceType": "Default"},
        })
    };
    assert_eq!((&made["triggerType"], &made["triggerConfig"]), (&json!("eventbridge"), &config(true, "{}")));
    let path = format!("{TRIGGERS}/bus");
    edge.put(&path, json!({"triggerConfig": {"triggerEnable": false}})).await.ok();
    let pattern = r#"{"source":["a"]}"#;
    let changed = edge.put(&path, json!({"triggerConfig": {"eventRuleFilterPattern": pattern}})).await.json();
    assert_eq!(changed["triggerConfig"], config(false, pattern));
    assert_eq!(edge.get(&path).await.json(), changed);
    let made = trigger(&edge, "oss", "oss", json!({"events": ["oss:ObjectCreated:*"]})).await.json();
    let key = |prefix: &str| json!({"events": ["oss:ObjectCreated:*"], "filter": {"key": {"prefix": prefix, "suffix": ""}}});
    assert_eq!((&made["triggerType"], &made["triggerConfig"]), (&json!("oss"), &key("")));
    assert_eq!(made["sourceArn"], "acs:oss:local:123456789012:pictures");
    let changed = json!({"triggerConfig": {"filter": {"key": {"prefix": "p/"}}}});
    assert_eq!(edge.put(&format!("{TRIGGERS}/oss"), changed).await.json()["triggerConfig"], key("p/"));
}

#[tokio::test]
async fn what_a_trigger_for_events_cannot_be_is_refused() {
    let edge = Edge::new().await;
    for (kind, config, part) in [
        ("eventbridge", json!({"asyncInvocationType": false}), "asyncInvocationType"),
        ("eventbridge", json!({"eventRuleFilterPattern": "{\"a\":1}"}), "eventRuleFilterPattern"),
        ("eventbridge", json!({"eventSourceConfig": {"eventSourceType": "RabbitMQ"}}), "[[event_sources]]"),
        (
            "eventbridge",
            json!({"eventSourceConfig": {"eventSourceParameters": {"x": 1}}}),
            "eventSourceParameters",
        ),
        ("eventbridge", json!({"runOptions": {"mode": "event-streaming"}}), "runOptions.mode"),
        ("eventbridge", json!({"runOptions": {"batchWindow": {"CountBasedWindow": 2}}}), "batchWindow"),
        (
            "eventbridge",
            json!({"eventSinkConfig": {"deliveryOption": {"concurrency": 2}}}),
            "eventSinkConfig",
        ),
        ("oss", json!({}), "triggerConfig.events"),
        ("oss", json!({"events": ["oss:ObjectCreated:AppendObject"]}), "AppendObject"),
        (
            "oss",
            json!({"events": ["oss:ObjectCreated:*"], "filter": {"key": {"prefix": "x".repeat(1025)}}}),
            "1024",
        ),
    ] {
        let message = trigger(&edge, "t", kind, config).await.error(400, "InvalidArgument");
        assert!(message.contains(part), "{message}");
    }
    let body = json!({"triggerName": "t", "triggerType": "oss", "triggerConfig": {"events": ["oss:ObjectCreated:*"]}});
    let message = edge.send("POST", TRIGGERS, &[], body.to_string()).await.error(400, "InvalidArgument");
    assert!(message.contains("sourceArn"), "{message}");
    assert_eq!(edge.get(TRIGGERS).await.json()["triggers"], json!([]));
}
