//! A store that fails, and a process that dies.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bide_engine::{AttemptResult, Options, Status};
use bide_types::ErrorCode;
use bytes::Bytes;

use crate::fixture::Fixture;

#[tokio::test]
async fn nothing_is_acknowledged_once_the_store_has_failed() {
    let fixture = Fixture::new(1).await;
    fixture.store.fail_after(0);
    let error = fixture.submit("t", "x", 0).await.expect_err("refused");
    assert_eq!(error.code(), ErrorCode::ServiceUnavailable);
    assert!(fixture.engine.ready().is_err());
    assert!(fixture.executor.started().is_empty());
}

#[tokio::test]
async fn a_nearly_full_disk_takes_nothing_new_and_settles_what_is_there() {
    let (fixture, troubled) = Fixture::with(1, Options::default()).await;
    fixture.submit("old", "hold", 0).await.expect("accepted");
    fixture.until_status("old", Status::Running, Duration::ZERO).await;
    troubled.is_nearly_full.store(true, Ordering::Relaxed);
    let error = fixture.submit("new", "x", 0).await.expect_err("refused");
    assert_eq!(error.code(), ErrorCode::ServiceUnavailable);
    assert!(fixture.engine.ready().is_ok(), "nothing has failed");
    let held = fixture.executor.held().remove(0);
    fixture.executor.release(&held, AttemptResult::Returned(Bytes::from_static(b"done")));
    fixture.until_status("old", Status::Succeeded, Duration::ZERO).await;
    troubled.is_nearly_full.store(false, Ordering::Relaxed);
    fixture.submit("new", "x", 0).await.expect("accepted");
    fixture.until_status("new", Status::Succeeded, Duration::ZERO).await;
}

#[tokio::test]
async fn an_attempt_that_a_crash_interrupts_is_made_again_outside_the_counted_retries() {
    let fixture = Fixture::new(1).await;
    fixture.submit("t", "hold", 0).await.expect("accepted");
    fixture.until_status("t", Status::Running, Duration::ZERO).await;
    let old = fixture.executor.clone();
    let fixture = fixture.crash(2).await;
    fixture.clock.advance(Duration::from_millis(500));
    fixture.executor.until(|executor| executor.held().len() == 1).await;
    // The old process is not quite dead: its late result has an old epoch.
    let held = old.held().remove(0);
    old.release(&held, AttemptResult::Returned(Bytes::from_static(b"late")));
    fixture.settle().await;
    assert_eq!(fixture.status("t").await, Status::Running);
    let held = fixture.executor.held().remove(0);
    fixture.executor.release(&held, AttemptResult::Returned(Bytes::from_static(b"new")));
    let view = fixture.until_status("t", Status::Succeeded, Duration::ZERO).await;
    assert_eq!(view.result.as_deref(), Some(b"new".as_slice()));
    assert_eq!((view.invocation.retries, view.invocation.runs), (0, 2));
}

#[tokio::test]
async fn a_node_whose_dispatcher_broke_off_says_so_and_accepts_nothing() {
    let (fixture, troubled) = Fixture::with(1, Options::default()).await;
    fixture.settle().await;
    troubled.panics.store(true, Ordering::Relaxed);
    fixture.clock.advance(Duration::from_secs(60));
    fixture.settle().await;
    assert_eq!(fixture.engine.ready().expect_err("not ready").code(), ErrorCode::ServiceUnavailable);
    let error = fixture.submit("t", "x", 0).await.expect_err("refused");
    assert_eq!(error.code(), ErrorCode::ServiceUnavailable);
    fixture.engine.shutdown().await;
}

#[tokio::test]
async fn a_record_that_cannot_be_read_harms_nobody_but_its_function() {
    let (fixture, troubled) = Fixture::with(4, Options::default()).await;
    let damaged = fixture.target("f").function().id;
    *troubled.damaged.lock().expect("free") = Some(damaged);
    for round in 0..20 {
        let (f, g) = (format!("f-{round}"), format!("g-{round}"));
        let both = tokio::join!(fixture.submit(&f, "x", 0), fixture.submit_to("g", &g, "x", 0));
        both.0.expect("accepted");
        both.1.expect("accepted");
        fixture.settle().await;
        fixture.clock.advance(Duration::from_millis(333));
    }
    fixture.settle().await;
    assert_eq!(fixture.executor.started().len(), 20, "every event of g ran, and ran once");
    let ledger = fixture.engine.ledger(&fixture.target("g")).await.expect("readable");
    assert_eq!((ledger.accepted, ledger.open()), (20, 0));
    let ledger = fixture.engine.ledger(&fixture.target("f")).await.expect("readable");
    assert_eq!((ledger.accepted, ledger.open()), (20, 20));
}

#[tokio::test]
async fn leases_that_cannot_be_ended_are_left_for_the_next_round() {
    let (fixture, troubled) = Fixture::with(1, Options::default()).await;
    troubled.phantom_leases.store(true, Ordering::Relaxed);
    let before = troubled.commits.load(Ordering::Relaxed);
    fixture.clock.advance(Duration::from_secs(60));
    for _ in 0..100 {
        fixture.settle().await;
    }
    let commits = troubled.commits.load(Ordering::Relaxed) - before;
    assert!(commits < 10, "{commits} commits in one round");
}
