//! What attempts logged is kept with their task.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bide_engine::{AttemptEnd, AttemptLog, Options, Status};
use bytes::Bytes;

use crate::fixture::{Fixture, failure, logged, task_id};

const STEP: Duration = Duration::from_millis(100);

async fn logs(fixture: &Fixture, task: &str) -> Vec<AttemptLog> {
    fixture.engine.task_logs(&fixture.target("f"), &task_id(task)).await.expect("a task").logs
}

#[tokio::test]
async fn every_retry_has_a_log_of_its_own() {
    let fixture = Fixture::new(1).await;
    fixture.submit("t", "log-and-hold", 0).await.expect("accepted");
    for attempt in 1..=4 {
        fixture.until_status("t", Status::Running, STEP).await;
        let held = fixture.executor.held().remove(0);
        assert_eq!(logs(&fixture, "t").await.len(), attempt - 1);
        fixture.executor.release(&held, failure());
        fixture.executor.until(|executor| executor.held().is_empty()).await;
        fixture.settle().await;
    }
    assert_eq!(fixture.status("t").await, Status::Failed);
    let kept = logs(&fixture, "t").await;
    assert_eq!(kept.iter().map(|log| log.attempt).collect::<Vec<_>>(), [1, 2, 3, 4]);
    assert!(kept.iter().all(|log| log.log.text == logged().text && log.log.dropped_bytes == 3));
    assert!(kept.iter().all(|log| matches!(log.end, AttemptEnd::Failed(_))));
}

#[tokio::test]
async fn a_crash_leaves_word_that_the_log_is_lost_and_a_shutdown_keeps_it() {
    let fixture = Fixture::new(1).await;
    fixture.submit("t", "log-and-hold", 0).await.expect("accepted");
    fixture.until_status("t", Status::Running, Duration::ZERO).await;
    let fixture = fixture.crash(2).await;
    fixture.until_status("t", Status::Running, STEP).await;
    let engine = fixture.engine.clone();
    let drain = tokio::spawn(async move { engine.drain().await });
    fixture.settle().await;
    fixture.clock.advance(Options::default().drain_timeout);
    drain.await.expect("drained");
    let fixture = fixture.crash(3).await;
    let ends: Vec<_> = logs(&fixture, "t").await.into_iter().map(|log| (log.end, log.log.text)).collect();
    assert_eq!(ends, [(AttemptEnd::Lost, Bytes::new()), (AttemptEnd::Interrupted, logged().text)]);
}

#[tokio::test]
async fn a_nearly_full_disk_keeps_how_long_a_log_was_and_not_the_log() {
    let (fixture, troubled) = Fixture::with(1, Options::default()).await;
    fixture.submit("t", "log-and-hold", 0).await.expect("accepted");
    fixture.until_status("t", Status::Running, Duration::ZERO).await;
    troubled.is_nearly_full.store(true, Ordering::Relaxed);
    let held = fixture.executor.held().remove(0);
    fixture.executor.release(&held, failure());
    fixture.until_status("t", Status::Retrying, Duration::ZERO).await;
    let kept = logs(&fixture, "t").await;
    assert_eq!((&kept[0].log.text, kept[0].log.dropped_bytes), (&Bytes::new(), 10));
}
