//! Stopping, in every phase.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bide_core::LeaseHolder;
use bide_engine::{AttemptResult, Options, Status, Store as _};
use bide_env::Clock as _;
use bytes::Bytes;

use crate::fixture::{Fixture, task_id, timeline};

#[tokio::test]
async fn a_deferred_task_that_is_stopped_never_runs() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "x", 5).await.expect("accepted");
    fixture.engine.stop_task(&fixture.target("f"), &task_id("t")).await.expect("stopped");
    assert_eq!(fixture.status("t").await, Status::Stopped);
    fixture.clock.advance(Duration::from_secs(10));
    fixture.settle().await;
    assert!(fixture.executor.started().is_empty());
}

#[tokio::test]
async fn a_running_task_is_interrupted_and_ends_stopped() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "hold", 0).await.expect("accepted");
    fixture.until_status("t", Status::Running, Duration::ZERO).await;
    fixture.engine.stop_task(&fixture.target("f"), &task_id("t")).await.expect("stopping");
    let view = fixture.until_status("t", Status::Stopped, Duration::ZERO).await;
    let phases = [Status::Enqueued, Status::Dequeued, Status::Running, Status::Stopping, Status::Stopped];
    assert_eq!(timeline(&view), phases);
    assert!(fixture.executor.held().is_empty());
}

#[tokio::test]
async fn a_stop_of_a_settled_task_changes_nothing_and_is_no_error() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "x", 0).await.expect("accepted");
    let before = fixture.until_status("t", Status::Succeeded, Duration::ZERO).await;
    fixture.engine.stop_task(&fixture.target("f"), &task_id("t")).await.expect("no error");
    assert_eq!(fixture.task("t").await, before);
    assert!(fixture.engine.stop_task(&fixture.target("f"), &task_id("other")).await.is_err());
}

#[tokio::test]
async fn a_retrying_task_is_stopped_at_once() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "fail", 0).await.expect("accepted");
    fixture.until_status("t", Status::Retrying, Duration::ZERO).await;
    fixture.engine.stop_task(&fixture.target("f"), &task_id("t")).await.expect("stopped");
    assert_eq!(fixture.status("t").await, Status::Stopped);
    fixture.clock.advance(Duration::from_secs(10));
    fixture.settle().await;
    assert_eq!(fixture.executor.started().len(), 1);
}

#[tokio::test]
async fn a_shutdown_interrupts_what_outlasts_the_drain_and_it_runs_again() {
    let fixture = Fixture::new(4).await;
    fixture.submit("t", "hold", 0).await.expect("accepted");
    fixture.until_status("t", Status::Running, Duration::ZERO).await;
    let engine = fixture.engine.clone();
    let shutdown = tokio::spawn(async move { engine.shutdown().await });
    fixture.settle().await;
    assert!(fixture.submit("late", "x", 0).await.is_err());
    fixture.clock.advance(Duration::from_secs(31));
    shutdown.await.expect("ended");
    let fixture = fixture.crash(2).await;
    fixture.clock.advance(Duration::from_secs(1));
    fixture.executor.until(|executor| executor.held().len() == 1).await;
    let held = fixture.executor.held().remove(0);
    fixture.executor.release(&held, AttemptResult::Returned(Bytes::new()));
    let view = fixture.until_status("t", Status::Succeeded, Duration::ZERO).await;
    assert_eq!(view.invocation.retries, 0);
}

#[tokio::test]
async fn a_shutdown_ends_and_leaves_no_lease_whatever_is_under_way() {
    for step in 0..40 {
        let options = Options { drain_timeout: Duration::ZERO, ..Options::default() };
        let (fixture, troubled) = Fixture::with(4, options).await;
        troubled.pauses.store(8, Ordering::Relaxed);
        for task in ["a", "b", "c"] {
            fixture.submit(task, "hold", 0).await.expect("accepted");
        }
        for _ in 0..step {
            tokio::task::yield_now().await;
        }
        let engine = fixture.engine.clone();
        let shutdown = tokio::spawn(async move { engine.shutdown().await });
        fixture.settle().await;
        assert!(shutdown.is_finished(), "hangs when asked after {step} steps");
        let (everybody_else, now) = (LeaseHolder(9), fixture.clock.now());
        let leases = fixture.store.reopen().lapsed_leases(everybody_else, now, 10).await.expect("readable");
        assert_eq!(leases, [], "when asked after {step} steps");
    }
}
