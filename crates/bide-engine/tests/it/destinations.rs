//! Result callback with functions as targets.

use std::time::Duration;

use bide_engine::{DestinationStatus, Status};
use bide_env::Clock as _;
use bytes::Bytes;

use crate::fixture::{Fixture, task_id};

const STEP: Duration = Duration::from_millis(100);
const G: &str = "acs:fc:::services/s/functions/g";

/// Puts `g` as a destination of `f`, and both into task mode.
async fn with_destination(success: bool) -> Fixture {
    let fixture = Fixture::new(4).await;
    let change = |config: &mut bide_types::resource::AsyncInvokeConfig| {
        config.stateful = Some(true);
        if success {
            config.on_success = Some(G.to_owned());
        } else {
            config.on_failure = Some(G.to_owned());
        }
    };
    fixture.engine.put_async_config(&fixture.target("f"), change).await.expect("put");
    let stateful = |config: &mut bide_types::resource::AsyncInvokeConfig| config.stateful = Some(true);
    fixture.engine.put_async_config(&fixture.target("g"), stateful).await.expect("put");
    fixture
}

#[tokio::test]
async fn a_success_is_delivered_once() {
    let fixture = with_destination(true).await;
    fixture.submit("t", "hello", 0).await.expect("accepted");
    fixture.until_status("t", Status::Succeeded, STEP).await;
    fixture.settle().await;
    let records = fixture.records().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["requestContext"]["approximateInvokeCount"], 1);
    assert_eq!(records[0]["requestContext"]["condition"], "");
    assert_eq!(records[0]["requestPayload"], "hello");
    assert_eq!(records[0]["responsePayload"], "hello");
    assert_eq!(fixture.task("t").await.invocation.destination, DestinationStatus::Delivered);
}

#[tokio::test]
async fn a_failure_is_delivered_after_the_last_attempt() {
    let fixture = with_destination(false).await;
    fixture.submit("t", "fail", 0).await.expect("accepted");
    fixture.until_status("t", Status::Failed, STEP).await;
    fixture.settle().await;
    let records = fixture.records().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["requestContext"]["approximateInvokeCount"], 4);
    assert_eq!(records[0]["requestContext"]["condition"], "UnhandledInvocationError");
    assert_eq!(records[0]["responsePayload"], "{\"errorMessage\":\"boom\"}");
}

#[tokio::test]
async fn a_stop_is_delivered_with_its_own_condition() {
    let fixture = with_destination(false).await;
    fixture.submit("t", "x", 60).await.expect("accepted");
    fixture.engine.stop_task(&fixture.target("f"), &task_id("t")).await.expect("stopped");
    fixture.settle().await;
    let records = fixture.records().await;
    assert_eq!(records[0]["requestContext"]["condition"], "InvocationStopped");
    assert_eq!(records[0]["requestContext"]["approximateInvokeCount"], 0);
}

#[tokio::test]
async fn a_plain_invocation_leaves_its_record_at_the_destination_and_nothing_else() {
    let fixture = with_destination(true).await;
    let stateless = |config: &mut bide_types::resource::AsyncInvokeConfig| config.stateful = Some(false);
    fixture.engine.put_async_config(&fixture.target("f"), stateless).await.expect("put");
    let call = bide_engine::AsyncCall {
        request_id: bide_types::RequestId::new("plain").expect("valid"),
        task_id: Some(task_id("ignored")),
        stateful: false,
        delay: Duration::ZERO,
        payload: Bytes::from_static(b"x"),
        parent: None,
        http: None,
    };
    let accepted = fixture.engine.submit(&fixture.target("f"), call).await.expect("accepted");
    assert_eq!(accepted.task_id, None);
    for _ in 0..10 {
        fixture.settle().await;
    }
    assert_eq!(fixture.records().await.len(), 1);
    assert!(fixture.engine.task(&fixture.target("f"), &task_id("ignored")).await.is_err());
}

#[tokio::test]
async fn a_missing_target_is_retried_and_then_given_up() {
    let fixture = with_destination(true).await;
    fixture.engine.delete_function(&fixture.account, "s", "g", None).await.expect("deleted");
    fixture.submit("t", "x", 0).await.expect("accepted");
    fixture.until_status("t", Status::Succeeded, STEP).await;
    fixture.settle().await;
    assert_eq!(fixture.task("t").await.invocation.destination, DestinationStatus::Pending);
    for _ in 0..20 {
        fixture.clock.advance(Duration::from_secs(300));
        fixture.settle().await;
    }
    assert_eq!(fixture.task("t").await.invocation.destination, DestinationStatus::DeadLettered);
    assert_eq!(fixture.status("t").await, Status::Succeeded);
}

#[tokio::test]
async fn a_cycle_of_destinations_ends() {
    let fixture = with_destination(true).await;
    let back = |config: &mut bide_types::resource::AsyncInvokeConfig| {
        config.on_success = Some("acs:fc:::services/s/functions/f".to_owned());
    };
    fixture.engine.put_async_config(&fixture.target("g"), back).await.expect("put");
    fixture.submit("t", "x", 0).await.expect("accepted");
    let mut runs = 0;
    for _ in 0..200 {
        fixture.settle().await;
        fixture.clock.advance(STEP);
        let now = fixture.executor.started().len();
        if now == runs && now > 1 {
            break;
        }
        runs = now;
    }
    assert_eq!(runs, 9, "the first run and 8 hops at {:?}", fixture.clock.now());
}

#[tokio::test]
async fn a_function_cannot_be_its_own_destination() {
    let fixture = Fixture::new(1).await;
    let own = |config: &mut bide_types::resource::AsyncInvokeConfig| {
        config.on_failure = Some("acs:fc:::services/s.LATEST/functions/f".to_owned());
    };
    let error = fixture.engine.put_async_config(&fixture.target("f"), own).await.expect_err("refused");
    assert_eq!(error.code(), bide_types::ErrorCode::InvalidArgument);
}

#[tokio::test]
async fn what_a_deletion_makes_invalid_is_told_to_the_failure_target_after_a_restart_too() {
    let fixture = with_destination(false).await;
    fixture.submit("t", "x", 60).await.expect("accepted");
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    let fixture = fixture.crash(2).await;
    fixture.clock.advance(Duration::from_secs(61));
    for _ in 0..20 {
        fixture.settle().await;
    }
    let records = fixture.records().await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["requestContext"]["condition"], "FunctionNotFound");
    let arn = records[0]["requestContext"]["functionArn"].as_str().expect("named");
    assert!(arn.ends_with("services/s.LATEST/functions/f"), "{arn}");
}

#[tokio::test]
async fn a_deleted_function_is_forgotten_when_nothing_of_it_is_under_way() {
    let fixture = with_destination(false).await;
    fixture.submit("t", "x", 3000).await.expect("accepted");
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    let retired = async || {
        let controls = bide_store::Store::controls(&fixture.store).await.expect("readable");
        controls.iter().filter(|(key, _)| key.as_str().starts_with("retired/")).count()
    };
    assert_eq!(retired().await, 1);
    for _ in 0..3 {
        fixture.clock.advance(Duration::from_secs(3 * 86_400));
        fixture.settle().await;
        fixture.settle().await;
    }
    assert_eq!(retired().await, 0);
}
