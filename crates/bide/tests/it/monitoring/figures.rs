//! The page of figures: what it counts, who may read it, and what is left after a crash and a deletion.

use serde_json::json;

use super::{PAGE, figures, get, promtool, said, value};
use crate::support::{Function, World, bide_command, until};

const CODE: &str = r#"
def handler(event, context):
    if event == b"fail":
        raise ValueError("no")
    return event
"#;

/// Series of the function `work` of the tests' service.
const WORK: &[&str] = &[r#"service="it""#, r#"function="work""#];

#[tokio::test(flavor = "multi_thread")]
async fn the_published_figures_count_what_happened_and_prometheus_accepts_them() {
    let mut world = World::start_with(&[PAGE]).await;
    world.api.deploy("work", Function::python(CODE)).await;
    world.collect("work", json!({ "maxAsyncRetryAttempts": 0, "statefulInvocation": true })).await;
    world.api.invoke("work", "fine").await;
    world.api.invoke("work", "fail").await;
    world.api.submit_task("work", "good", "fine").await;
    world.api.submit_task("work", "bad", "fail").await;
    for task in ["good", "bad"] {
        world.api.delivered("work", task).await;
    }
    world.api.submit_task_in("work", "later", 3000, "fine").await;

    let text = figures(&world.server).await;
    let of_work = |name: &str, more: &[&str]| value(&text, name, &[WORK, more].concat()).unwrap_or(-1.0);
    for (name, labels, expected) in [
        ("bide_function_enqueue_total", &[][..], 3.0),
        ("bide_function_dequeue_total", &[], 2.0),
        ("bide_function_async_messages_backlog", &[], 1.0),
        ("bide_function_async_messages_deferred", &[], 1.0),
        ("bide_function_async_messages_in_process", &[], 0.0),
        ("bide_function_async_settled_total", &[r#"outcome="failed""#], 1.0),
        ("bide_function_async_event_expired_dropped_total", &[], 0.0),
        ("bide_function_async_message_latency_seconds_count", &[], 2.0),
        ("bide_function_invocations_total", &[r#"invocation_type="Sync""#], 2.0),
        ("bide_function_invocations_total", &[r#"invocation_type="Async""#], 2.0),
        ("bide_function_function_errors_total", &[r#"error_type="FunctionUnhandledError""#], 2.0),
        ("bide_function_duration_seconds_count", &[], 4.0),
        ("bide_function_http_responses_total", &[r#"class="2xx""#], 5.0),
        ("bide_function_client_errors_total", &[], 0.0),
        ("bide_function_destination_succeeded_total", &[], 2.0),
        ("bide_function_destination_errors_total", &[], 0.0),
    ] {
        assert!(
            (of_work(name, labels) - expected).abs() < 1e-9,
            "{name}{labels:?}: {}",
            of_work(name, labels)
        );
    }
    assert!(of_work("bide_function_cold_starts_total", &[]) >= 1.0);
    assert!(of_work("bide_function_on_demand_active_instances", &[]) >= 1.0);
    let check = promtool(&["check", "metrics"], &text);
    assert!(check.status.success() && said(&check).is_empty(), "promtool:\n{}", said(&check));

    // What the store counts is right after a crash; the rest begins again.
    world.server.kill().await;
    world.server =
        crate::support::Launch::new(&world.dir.path().join("data")).env(PAGE.0, PAGE.1).ready().await;
    world.api = crate::support::Api::of(&world.server);
    let text = figures(&world.server).await;
    assert_eq!(value(&text, "bide_function_enqueue_total", WORK), Some(3.0));
    assert_eq!(value(&text, "bide_function_async_messages_backlog", WORK), Some(1.0));
    assert_eq!(value(&text, "bide_function_invocations_total", WORK), Some(0.0));

    world.api.delete("work").await;
    until("the series of the deleted function are gone", async || {
        let text = figures(&world.server).await;
        (!text.contains(r#"function="work""#)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_keeps_the_figures_from_others() {
    const TOKEN: &str = "a-token-that-nobody-guesses";
    let world = World::start_with(&[PAGE, ("BIDE_METRICS_TOKEN", TOKEN)]).await;
    let (status, body) = get(&world.server, None).await;
    assert_eq!(status, 401);
    assert!(!body.contains("bide_"), "{body}");
    assert_eq!(get(&world.server, Some("a-token-that-nobody-guessed")).await.0, 401);
    assert_eq!(get(&world.server, Some(TOKEN)).await.0, 200);
    assert!(!world.server.log().contains(TOKEN));
}

#[tokio::test(flavor = "multi_thread")]
async fn figures_are_not_served_where_callers_are() {
    let world = World::start().await;
    let head = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let reply = crate::support::exchange(&world.server, head, b"").await;
    assert_eq!(reply.status, 400, "{}", reply.text());
    assert!(!world.server.log().contains("metrics on"));
}

#[test]
fn an_open_address_without_a_token_is_refused() {
    let arguments = ["serve", "--data-dir", "/nonexistent", "--metrics-listen", "0.0.0.0:0"];
    let output = bide_command(&arguments).output().unwrap();
    assert!(!output.status.success());
    assert!(said(&output).contains("set metrics_token"), "{}", said(&output));
}
