//! Tasks: get, list, stop.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::fixture::{CONFIG, Edge, INVOCATIONS, SECOND, START, TASKS};

const NOW: u64 = START.as_millis();

async fn submit(edge: &Edge, id: &str, event: &'static str) {
    edge.submit(&[("x-fc-async-task-id", id), ("x-fc-trace-id", &format!("r-{id}"))], event).await.ok();
}

async fn ids(edge: &Edge, query: &str) -> String {
    ids_and_token(&edge.get(&format!("{TASKS}?{query}")).await.json()).0
}

fn ids_and_token(page: &Value) -> (String, Option<String>) {
    let tasks = page["invocations"].as_array().expect("a list");
    let ids: Vec<_> = tasks.iter().map(|task| task["invocationId"].as_str().expect("an id")).collect();
    (ids.join(" "), page.get("nextToken").map(|token| token.as_str().expect("a token").to_owned()))
}

#[tokio::test]
async fn a_finished_task_tells_its_whole_story() {
    let edge = Edge::with_tasks().await;
    submit(&edge, "job-1", r#"{"n":1}"#).await;
    let task = edge.until_status("job-1", "Succeeded").await;
    let event =
        |id: u64, status: &str| json!({"eventId": id, "status": status, "timestamp": NOW, "eventDetail": ""});
    let expected = json!({
        "serviceName": "s", "functionName": "f", "qualifier": "LATEST", "invocationId": "job-1",
        "requestId": "r-job-1", "status": "Succeeded", "startedTime": NOW, "endTime": NOW, "durationMs": 1,
        "alreadyRetriedTimes": 0, "destinationStatus": "", "invocationErrorMessage": "",
        "invocationPayload": "{\"n\":1}", "returnPayload": "{\"n\":1}", "instanceId": "c-fake",
        "events": [event(1, "Enqueued"), event(2, "Dequeued"), event(3, "Running"), event(4, "Succeeded")],
    });
    assert_eq!(task, expected);
}

#[tokio::test]
async fn a_running_task_has_no_end_and_a_failed_one_its_error() {
    let edge = Edge::with_tasks().await;
    edge.put(CONFIG, json!({"maxAsyncRetryAttempts": 0})).await.ok();
    submit(&edge, "job-1", "hold").await;
    let task = edge.until_status("job-1", "Running").await;
    assert_eq!((&task["endTime"], &task["durationMs"]), (&json!(0), &json!(0)));
    assert_eq!(task["instanceId"], "c-fake");
    assert_eq!(task.get("returnPayload"), None);
    submit(&edge, "job-2", "fail").await;
    let task = edge.until_status("job-2", "Failed").await;
    assert_eq!(task["invocationErrorMessage"], "UnhandledInvocationError");
}

#[tokio::test]
async fn an_event_that_is_no_text_is_shown_as_base64() {
    let edge = Edge::with_tasks().await;
    edge.submit(&[("x-fc-async-task-id", "job-1")], &b"\xff\x00"[..]).await.ok();
    let task = edge.until_status("job-1", "Succeeded").await;
    assert_eq!(task["invocationPayload"], BASE64.encode(b"\xff\x00"));
    assert_eq!(
        (&task["invocationPayloadIsBase64"], &task["returnPayloadIsBase64"]),
        (&json!(true), &json!(true))
    );
}

#[tokio::test]
async fn lists_are_filtered() {
    let edge = Edge::with_tasks().await;
    submit(&edge, "a-1", "x").await;
    edge.clock.advance(SECOND);
    submit(&edge, "a-2", "hold").await;
    edge.clock.advance(SECOND);
    submit(&edge, "b-3", "x").await;
    edge.until_status("a-1", "Succeeded").await;
    edge.until_status("a-2", "Running").await;
    edge.until_status("b-3", "Succeeded").await;

    assert_eq!(ids(&edge, "").await, "b-3 a-2 a-1");
    assert_eq!(ids(&edge, "sortOrderByTime=desc").await, "b-3 a-2 a-1");
    assert_eq!(ids(&edge, "sortOrderByTime=asc").await, "a-1 a-2 b-3");
    assert_eq!(ids(&edge, "status=Running").await, "a-2");
    assert_eq!(ids(&edge, "status=Stopped").await, "");
    assert_eq!(ids(&edge, "invocationIdPrefix=a-").await, "a-2 a-1");
    assert_eq!(ids(&edge, &format!("startedTimeBegin={}", NOW + 1000)).await, "b-3 a-2");
    assert_eq!(ids(&edge, &format!("startedTimeEnd={}", NOW + 1000)).await, "a-2 a-1");
    let both = format!("startedTimeBegin={}&startedTimeEnd={}&status=Succeeded", NOW, NOW + 1000);
    assert_eq!(ids(&edge, &both).await, "a-1");

    let payload = async |query: &str| {
        edge.get(&format!("{TASKS}?invocationIdPrefix=a-1&{query}")).await.json()["invocations"][0]
            .get("invocationPayload")
            .cloned()
    };
    assert_eq!(payload("").await, None);
    assert_eq!(payload("includePayload=false").await, None);
    assert_eq!(payload("includePayload=True").await, Some(json!("x")));
}

#[tokio::test]
async fn lists_go_by_pages_in_both_orders() {
    let edge = Edge::with_tasks().await;
    for id in ["a", "b", "c", "d", "e"] {
        submit(&edge, id, "hold").await;
    }
    for (order, expected) in [("asc", "a b|c d|e"), ("desc", "e d|c b|a")] {
        let (mut pages, mut token) = (Vec::new(), String::new());
        loop {
            let query = format!("{TASKS}?limit=2&sortOrderByTime={order}&nextToken={token}");
            let (ids, next) = ids_and_token(&edge.get(&query).await.json());
            pages.push(ids);
            match next {
                Some(next) => token = next,
                None => break,
            }
        }
        assert_eq!(pages.join("|").trim_end_matches('|'), expected);
    }
}

#[tokio::test]
async fn each_qualifier_lists_its_own_tasks() {
    let edge = Edge::with_tasks().await;
    edge.send("POST", "/2016-08-15/services/s/versions", &[], "{}").await.ok();
    let alias = json!({"aliasName": "prod", "versionId": "1"}).to_string();
    edge.send("POST", "/2016-08-15/services/s/aliases", &[], alias).await.ok();
    submit(&edge, "latest", "x").await;
    let headers = [
        ("x-fc-invocation-type", "Async"),
        ("x-fc-stateful-async-invocation-enable", "true"),
        ("x-fc-async-task-id", "aliased"),
    ];
    let of_prod = |path: &str| path.replace("/s/", "/s.prod/");
    edge.send("POST", &of_prod(INVOCATIONS), &headers, "x").await.ok();
    for id in ["latest", "aliased"] {
        edge.until_status(id, "Succeeded").await;
    }
    assert_eq!(ids(&edge, "").await, "latest");
    let page = edge.get(&of_prod(TASKS)).await.json();
    assert_eq!(ids_and_token(&page), ("aliased".to_owned(), None));
    assert_eq!(page["invocations"][0]["qualifier"], "prod");
}

#[tokio::test]
async fn pages_of_a_filter_hold_what_fits_and_nothing_else() {
    let edge = Edge::with_tasks().await;
    for (id, event) in [("a", "x"), ("b", "hold"), ("c", "x"), ("d", "hold"), ("e", "x")] {
        submit(&edge, id, event).await;
    }
    for id in ["a", "c", "e"] {
        edge.until_status(id, "Succeeded").await;
    }
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let query = format!("{TASKS}?limit=1&status=Succeeded&sortOrderByTime=asc&nextToken={token}");
        let (ids, next) = ids_and_token(&edge.get(&query).await.json());
        found.extend((!ids.is_empty()).then_some(ids));
        match next {
            Some(next) => token = next,
            None => break,
        }
    }
    assert_eq!(found, ["a", "c", "e"]);
    for status in bide_core::Status::ALL {
        edge.get(&format!("{TASKS}?status={}", status.as_str())).await.ok();
    }
}

#[tokio::test]
async fn each_wrong_parameter_is_named() {
    let edge = Edge::with_tasks().await;
    for (query, name) in [
        ("status=Sleeping", "'status'"),
        ("sortOrderByTime=up", "'sortOrderByTime'"),
        ("limit=0", "'limit'"),
        ("limit=101", "'limit'"),
        ("nextToken=zz", "'nextToken'"),
        ("startedTimeBegin=x", "'startedTimeBegin'"),
        ("startedTimeEnd=-1", "'startedTimeEnd'"),
        ("includePayload=maybe", "'includePayload'"),
    ] {
        let message = edge.get(&format!("{TASKS}?{query}")).await.error(400, "InvalidArgument");
        assert!(message.contains(name), "{message}");
    }
    for method in ["GET", "PUT"] {
        let reply = edge.send(method, &format!("{TASKS}/none"), &[], "").await;
        reply.error(404, "StatefulAsyncInvocationNotFound");
        let reply = edge.send(method, &format!("{TASKS}/no%20id"), &[], "").await;
        reply.error(404, "StatefulAsyncInvocationNotFound");
    }
    let target = TASKS.replace("/s/", "/s.prod/");
    edge.get(&target).await.error(404, "AliasNotFound");
}

#[tokio::test]
async fn a_stop_answers_with_an_object_and_shows_in_the_record() {
    let edge = Edge::with_tasks().await;
    edge.submit(&[("x-fc-async-task-id", "waits"), ("x-fc-async-delay", "60")], "x").await.ok();
    submit(&edge, "runs", "hold").await;
    edge.until_status("runs", "Running").await;
    for id in ["waits", "runs"] {
        let reply = edge.send("PUT", &format!("{TASKS}/{id}"), &[], "").await;
        assert_eq!(reply.json(), json!({}));
        edge.until_status(id, "Stopped").await;
        // Again is no error.
        edge.send("PUT", &format!("{TASKS}/{id}"), &[], "").await.ok();
    }
    assert_eq!(edge.executor.started().len(), 1);
}

#[tokio::test]
async fn functions_in_task_mode_are_listed() {
    let edge = Edge::with_tasks().await;
    let functions = "/2016-08-15/stateful-async-invocation-functions";
    let item = |name: &str| json!({"serviceName": "s", "functionName": name, "qualifier": "LATEST"});
    assert_eq!(edge.get(functions).await.json(), json!({"data": [item("f")]}));
    edge.put(&CONFIG.replace("/f/", "/g/"), json!({"statefulInvocation": true})).await.ok();
    let page = edge.get(&format!("{functions}?limit=1")).await.json();
    assert_eq!(page["data"], json!([item("f")]));
    let token = page["nextToken"].as_str().expect("a token").replace('/', "%2F");
    let page = edge.get(&format!("{functions}?limit=1&nextToken={token}")).await.json();
    assert_eq!(page, json!({"data": [item("g")]}));
}
