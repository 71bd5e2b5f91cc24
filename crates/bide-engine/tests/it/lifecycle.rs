//! From acceptance to settlement.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bide_engine::{AttemptResult, Executor as _, Options, Status};
use bide_env::Clock as _;
use bide_types::Timestamp;
use bytes::Bytes;

use crate::fixture::{Fixture, START, timeline};

const STEP: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_task_goes_through_its_phases_and_keeps_its_result() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "hello", 0).await.expect("accepted");
    let view = fixture.until_status("t", Status::Succeeded, STEP).await;
    assert_eq!(timeline(&view), [Status::Enqueued, Status::Dequeued, Status::Running, Status::Succeeded]);
    assert_eq!(view.result.as_deref(), Some(b"hello".as_slice()));
    assert_eq!(view.payload.as_deref(), Some(b"hello".as_slice()));
}

#[tokio::test]
async fn deferred_work_never_starts_before_its_time() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "x", 5).await.expect("accepted");
    fixture.clock.advance(Duration::from_millis(4999));
    fixture.settle().await;
    assert_eq!(fixture.status("t").await, Status::Enqueued);
    assert!(fixture.executor.started().is_empty());
    fixture.clock.advance(Duration::from_millis(1));
    fixture.until_status("t", Status::Succeeded, Duration::ZERO).await;
    assert_eq!(fixture.clock.now(), START.plus(Duration::from_secs(5)));
}

#[tokio::test]
async fn a_function_that_always_fails_runs_four_times_with_rising_retry_counts() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "fail", 0).await.expect("accepted");
    let view = fixture.until_status("t", Status::Failed, STEP).await;
    let counts: Vec<u32> = fixture.executor.started().iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [0, 1, 2, 3]);
    assert_eq!(view.invocation.retries, 3);
    assert_eq!(view.result.as_deref(), Some(b"{\"errorMessage\":\"boom\"}".as_slice()));
    let ended = view.invocation.settlement().expect("settled").at;
    assert!(ended >= START.plus(Duration::from_millis(3500)), "0.5 s, 1 s and 2 s lie between the runs");
}

#[tokio::test]
async fn retries_that_are_set_to_zero_are_zero() {
    let fixture = Fixture::new(4).await;
    let target = fixture.target("f");
    fixture
        .engine
        .put_async_config(&target, |config| config.retry_attempts_max = Some(0))
        .await
        .expect("put");
    fixture.submit("t", "fail", 0).await.expect("accepted");
    fixture.until_status("t", Status::Failed, STEP).await;
    assert_eq!(fixture.executor.started().len(), 1);
}

#[tokio::test]
async fn a_fault_of_the_platform_does_not_use_up_retries() {
    let fixture = Fixture::new(4).await;
    let target = fixture.target("f");
    fixture
        .engine
        .put_async_config(&target, |config| config.retry_attempts_max = Some(0))
        .await
        .expect("put");
    fixture.submit("t", "broken-platform", 0).await.expect("accepted");
    fixture.executor.until(|executor| !executor.started().is_empty()).await;
    fixture.settle().await;
    assert_eq!(fixture.status("t").await, Status::Dequeued);
    fixture.clock.advance(Duration::from_millis(500));
    fixture.executor.until(|executor| executor.started().len() == 2).await;
    assert_eq!(fixture.task("t").await.invocation.retries, 0);
}

#[tokio::test]
async fn work_waits_in_line_for_capacity_without_being_refused() {
    let fixture = Fixture::new(1).await;
    fixture.submit("a", "hold", 0).await.expect("accepted");
    fixture.executor.until(|executor| executor.held().len() == 1).await;
    fixture.submit("b", "x", 0).await.expect("accepted");
    fixture.clock.advance(Duration::from_secs(60));
    fixture.settle().await;
    assert_eq!(fixture.status("b").await, Status::Enqueued);
    let held = fixture.executor.held().remove(0);
    assert!(fixture.executor.release(&held, AttemptResult::Returned(Bytes::new())));
    let view = fixture.until_status("b", Status::Succeeded, Duration::ZERO).await;
    assert_eq!(view.invocation.retries, 0);
}

#[tokio::test]
async fn a_full_function_does_not_hold_up_another() {
    let fixture = Fixture::new(1).await;
    for number in 0..50 {
        fixture.submit(&format!("a-{number}"), "hold", 0).await.expect("accepted");
    }
    fixture.submit_to("g", "b", "x", 0).await.expect("accepted");
    let b = bide_types::RequestId::new("r-b").expect("valid");
    fixture.executor.until(|executor| executor.started().iter().any(|(request, _)| *request == b)).await;
}

#[tokio::test]
async fn an_event_that_grows_too_old_in_line_expires_and_never_runs() {
    let fixture = Fixture::new(1).await;
    let target = fixture.target("f");
    fixture.submit("a", "hold", 0).await.expect("accepted");
    fixture.executor.until(|executor| executor.held().len() == 1).await;
    fixture
        .engine
        .put_async_config(&target, |config| config.event_age_max_seconds = Some(1))
        .await
        .expect("put");
    fixture.submit("b", "x", 0).await.expect("accepted");
    let view = fixture.until_status("b", Status::Expired, Duration::from_millis(200)).await;
    assert_eq!(timeline(&view), [Status::Enqueued, Status::Expired]);
    assert_eq!(fixture.executor.started().len(), 1);
}

#[tokio::test]
async fn what_waits_for_a_deleted_function_is_invalid() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "x", 10).await.expect("accepted");
    let target = fixture.target("f");
    fixture.engine.delete_function(&fixture.account, "s", "f", None).await.expect("deleted");
    fixture.clock.advance(Duration::from_secs(11));
    for _ in 0..20 {
        fixture.settle().await;
    }
    let task = fixture.engine.task(&target, &crate::fixture::task_id("t")).await.expect("kept");
    assert_eq!(task.invocation.status(), Status::Invalid);
    assert!(fixture.executor.started().is_empty());
}

#[tokio::test]
async fn a_settled_task_goes_after_the_retention_and_frees_its_id() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "x", 0).await.expect("accepted");
    fixture.until_status("t", Status::Succeeded, STEP).await;
    assert!(fixture.submit("t", "x", 0).await.is_err());
    fixture.clock.advance(Duration::from_secs(7 * 86_400 + 60));
    fixture.settle().await;
    fixture.clock.advance(Duration::from_secs(60));
    fixture.settle().await;
    assert!(fixture.engine.task(&fixture.target("f"), &crate::fixture::task_id("t")).await.is_err());
    fixture.submit("t", "x", 0).await.expect("the id is free again");
}

#[tokio::test]
async fn the_ledger_balances_over_every_kind_of_end() {
    let fixture = Fixture::new(4).await;
    for (task, payload, delay) in [("a", "x", 0), ("b", "fail", 0), ("c", "hold", 0), ("d", "x", 3000)] {
        fixture.submit(task, payload, delay).await.expect("accepted");
    }
    fixture.until_status("b", Status::Failed, STEP).await;
    let ledger = fixture.engine.ledger(&fixture.target("f")).await.expect("readable");
    assert!(ledger.balances());
    assert_eq!((ledger.accepted, ledger.open()), (4, 2));
}

#[tokio::test]
async fn times_are_those_of_the_clock() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "x", 0).await.expect("accepted");
    let view = fixture.until_status("t", Status::Succeeded, Duration::ZERO).await;
    assert_eq!(view.invocation.accepted_at, START);
    assert!(view.invocation.settlement().expect("settled").at < Timestamp::MAX);
}

#[tokio::test]
async fn no_more_slots_are_taken_than_there_is_work_for() {
    let (fixture, slow) = Fixture::with(16, Options::default()).await;
    slow.pauses.store(8, Ordering::Relaxed);
    fixture.submit("t", "hold", 0).await.expect("accepted");
    let mut most = 0;
    for _ in 0..200 {
        tokio::task::yield_now().await;
        most = most.max(fixture.executor.stats().busy);
    }
    assert_eq!(most, 1);
}
