//! Old tasks go, page by page, and their space comes back.

use bide_store::{Batch, LogText, Purge, Store};
use bide_store_local::{LocalStore, Options};
use bytes::Bytes;

use crate::support::{FUNCTION, assert_sound, at, directory, open, run, run_logged, submit, task, task_id};

async fn purge(store: &LocalStore, before: u64, max: usize) -> usize {
    let purges = vec![Purge { settled_before: at(before), max }];
    store.commit(Batch { now: at(1_000_000), purges, ..Batch::default() }).await.expect("a commit").purges[0]
}

#[tokio::test]
async fn old_tasks_go_oldest_first_in_bounded_steps() {
    let directory = directory();
    let store = open(directory.path());
    for number in 0..50 {
        submit(&store, at(number), vec![task(number)]).await.expect("a commit");
        run(&store, at(number), 1).await.expect("a run");
    }
    assert_eq!(purge(&store, 0, 10).await, 0, "nothing is old enough");
    assert_eq!(purge(&store, 30, 20).await, 20);
    assert_eq!(purge(&store, 30, 20).await, 10);
    assert_eq!(purge(&store, 30, 20).await, 0);
    assert!(store.task(FUNCTION, task_id(29)).await.expect("a read").is_none());
    assert!(store.task(FUNCTION, task_id(30)).await.expect("a read").is_some());

    // The clock stepped back: something settles before what was purged last.
    submit(&store, at(0), vec![task(99)]).await.expect("a commit");
    run(&store, at(7), 1).await.expect("a run");
    assert_eq!(purge(&store, 30, 20).await, 1);
    drop(store);
    let store = open(directory.path());
    assert_eq!(purge(&store, 1000, 100).await, 20, "a restart begins at the first entry");
    assert_eq!(store.ledger(FUNCTION).await.expect("a read").accepted, 51);
    drop(store);
    assert_sound(directory.path(), "after the retention");
}

/// Bytes of all files below a directory.
fn bytes(path: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(path).expect("a directory");
    let sizes = entries.filter_map(Result::ok).filter_map(|entry| {
        let metadata = entry.metadata().ok()?; // it may just have been removed
        Some(if metadata.is_dir() { bytes(&entry.path()) } else { allocated(&metadata) })
    });
    sizes.sum()
}

/// Files may have holes.
fn allocated(metadata: &std::fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.blocks() * 512
}

fn incompressible(seed: u64, bytes: usize) -> Bytes {
    let mut state = seed + 1;
    Bytes::from_iter((0..bytes).map(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    }))
}

#[tokio::test]
async fn a_store_that_is_asked_gives_space_back_at_once() {
    const TASKS: u64 = 150;
    const EVENT_BYTES: usize = 100_000;
    let directory = directory();
    let store = open(directory.path());
    for number in 0..TASKS {
        let mut submission = task(number);
        submission.payload = incompressible(number, EVENT_BYTES);
        submit(&store, at(number), vec![submission]).await.expect("a commit");
        let log = LogText { text: incompressible(number, EVENT_BYTES), dropped_bytes: 0 };
        run_logged(&store, at(number), log).await.expect("a run");
    }
    // Every third stays.
    let kept = TASKS / 3;
    let values = |path: &std::path::Path| bytes(&path.join("store/keyspaces"));
    store.reclaim().await.expect("nothing to give back");
    let before = values(directory.path());
    assert!(before >= TASKS * 2 * EVENT_BYTES as u64, "{before}");
    assert_eq!(purge(&store, TASKS - kept, 1000).await, usize::try_from(TASKS - kept).expect("few"));
    drop(store);
    // Tables that are merged are there twice for a while: nothing is done that could eat the reserve up.
    let full = Options { reserve_bytes: u64::MAX, ..Options::default() };
    let store = LocalStore::open(directory.path(), full).expect("it opens");
    store.reclaim().await.expect("nothing done");
    let still = values(directory.path());
    assert!(still > before * 9 / 10, "{still} bytes of {before}");
    drop(store);
    let store = open(directory.path());
    store.reclaim().await.expect("given back");
    let after = values(directory.path());
    assert!(after < before / 2, "{after} bytes of {before}");
    let logs = store.task_logs(FUNCTION, task_id(TASKS - 1)).await.expect("a read").expect("it stays").logs;
    assert_eq!(logs[0].log.text, incompressible(TASKS - 1, EVENT_BYTES));
    drop(store);
    assert_sound(directory.path(), "after its space was given back");
}

#[tokio::test]
async fn space_comes_back_as_work_goes_through() {
    const ROUNDS: u64 = 120;
    const WIDTH: u32 = 64;
    const EVENT_BYTES: usize = 60_000;
    let directory = directory();
    let store = open(directory.path());
    let mut most = 0;
    for round in 0..ROUNDS {
        let submissions = (0..WIDTH).map(|number| {
            let number = round * u64::from(WIDTH) + u64::from(number);
            let mut submission = task(number);
            submission.payload = incompressible(number, EVENT_BYTES);
            submission
        });
        submit(&store, at(round), submissions.collect()).await.expect("a commit");
        run(&store, at(round), WIDTH.try_into().expect("a small number")).await.expect("a run");
        purge(&store, round, 1000).await;
        most = most.max(bytes(directory.path()));
    }
    let through = ROUNDS * u64::from(WIDTH) * EVENT_BYTES as u64;
    assert!(most < through / 2, "{most} bytes on disk for {through} bytes that went through");
}
