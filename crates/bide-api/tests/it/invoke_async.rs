//! Asynchronous invocations: acceptance.

use axum::body::Body;
use serde_json::json;

use crate::fixture::{CONFIG, Edge, INVOCATIONS, SECOND, TASKS};

#[tokio::test]
async fn acceptance_is_202_with_an_empty_unlabelled_body() {
    let edge = Edge::new().await;
    let reply = edge.submit(&[("x-fc-stateful-async-invocation-id", "job-1")], "x").await;
    assert_eq!((reply.status, reply.body.len(), reply.header("content-type")), (202, 0, None));
    assert_eq!(reply.header("x-fc-request-id").expect("given").len(), 36);
    // Without task mode the task id means nothing.
    assert_eq!(reply.header("x-fc-stateful-async-invocation-id"), None);
    edge.get(&format!("{TASKS}/job-1")).await.error(404, "StatefulAsyncInvocationNotFound");
    edge.executor.until(|executor| executor.started().len() == 1).await;
}

#[tokio::test]
async fn in_task_mode_the_task_id_is_answered_under_both_names() {
    let edge = Edge::with_tasks().await;
    for (header, id) in [("x-fc-stateful-async-invocation-id", "job-1"), ("x-fc-async-task-id", "job-2")] {
        let reply = edge.submit(&[(header, id)], "x").await;
        assert_eq!(reply.status, 202);
        assert_eq!(reply.header("x-fc-stateful-async-invocation-id"), Some(id));
        assert_eq!(reply.header("x-fc-async-task-id"), Some(id));
    }
    let reply = edge.submit(&[], "x").await;
    assert_eq!(reply.header("x-fc-async-task-id"), reply.header("x-fc-request-id"));
}

#[tokio::test]
async fn task_mode_can_be_switched_on_for_one_call() {
    let edge = Edge::new().await;
    let headers = [("x-fc-stateful-async-invocation-enable", "true"), ("x-fc-async-task-id", "job-1")];
    assert_eq!(edge.submit(&headers, "x").await.header("x-fc-async-task-id"), Some("job-1"));
    edge.get(&format!("{TASKS}/job-1")).await.json();
}

#[tokio::test]
async fn a_task_id_is_accepted_once() {
    let edge = Edge::with_tasks().await;
    edge.submit(&[("x-fc-async-task-id", "job-1")], "x").await.ok();
    let again = edge.submit(&[("x-fc-async-task-id", "job-1")], "x").await;
    again.error(409, "StatefulAsyncInvocationAlreadyExists");
    edge.until_status("job-1", "Succeeded").await;
    assert_eq!(edge.executor.started().len(), 1);
}

#[tokio::test]
async fn a_bad_task_id_is_refused_naming_the_header() {
    let edge = Edge::with_tasks().await;
    let longest = "a".repeat(128);
    edge.submit(&[("x-fc-async-task-id", &longest)], "x").await.ok();
    for bad in ["1job", "-job", "a.b", "a b", "", &"a".repeat(129)] {
        for header in ["X-Fc-Stateful-Async-Invocation-Id", "X-Fc-Async-Task-Id"] {
            let message = edge.submit(&[(header, bad)], "x").await.error(400, "InvalidArgument");
            assert!(message.contains(header), "{message}");
        }
    }
}

#[tokio::test]
async fn a_bad_delay_is_refused_naming_the_header() {
    let edge = Edge::new().await;
    for good in ["0", "1", "3600"] {
        edge.submit(&[("x-fc-async-delay", good)], "x").await.ok();
    }
    for bad in ["-1", "3601", "1.5", "x"] {
        let message = edge.submit(&[("x-fc-async-delay", bad)], "x").await.error(400, "InvalidArgument");
        assert!(message.contains("X-Fc-Async-Delay"), "{message}");
    }
    // It has no meaning for a call that is not asynchronous.
    edge.send("POST", INVOCATIONS, &[("x-fc-async-delay", "x")], "x").await.ok();
}

#[tokio::test]
async fn a_deferred_task_starts_when_it_is_due_and_not_before() {
    let edge = Edge::with_tasks().await;
    edge.submit(&[("x-fc-async-delay", "5"), ("x-fc-async-task-id", "job-1")], "x").await.ok();
    edge.clock.advance(4 * SECOND);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(edge.get(&format!("{TASKS}/job-1")).await.json()["status"], "Enqueued");
    assert!(edge.executor.started().is_empty());
    edge.clock.advance(SECOND);
    edge.until_status("job-1", "Succeeded").await;
}

#[tokio::test]
async fn a_delay_that_the_event_age_would_overtake_is_refused() {
    let edge = Edge::new().await;
    edge.put(CONFIG, json!({"maxAsyncEventAgeInSeconds": 60})).await.ok();
    edge.submit(&[("x-fc-async-delay", "60")], "x").await.error(400, "InvalidArgument");
}

#[tokio::test]
async fn an_event_of_131072_bytes_is_taken_and_one_more_is_refused() {
    let edge = Edge::new().await;
    edge.submit(&[], vec![b'x'; 131_072]).await.ok();
    let message = edge.submit(&[], vec![b'x'; 131_073]).await.error(400, "EntityTooLarge");
    assert_eq!(message, "payload size exceeds maximum allowed size (131072 bytes)");
    edge.submit(&[], Body::empty()).await.ok();
}

#[tokio::test]
async fn nothing_is_accepted_that_cannot_be_stored() {
    let edge = Edge::new().await;
    edge.store.fail_after(0);
    edge.submit(&[], "x").await.error(503, "ServiceUnavailable");
    assert!(edge.executor.started().is_empty());
}

#[tokio::test]
async fn nothing_is_accepted_after_shutdown() {
    let edge = Edge::new().await;
    edge.engine.shutdown().await;
    edge.submit(&[], "x").await.error(503, "ServiceUnavailable");
}
