//! When a write fails, the store stops; what it acknowledged is there, and nothing is half done.

use std::future::Future;

use bytes::Bytes;

use super::Faulty;
use super::batches::join;
use super::driver::{Driver, FUNCTION, all_tasks, at, every_page, task};
use super::reads::{Reads, reads};
use super::script::Script;
use crate::batch::Batch;
use crate::memory::MemoryStore;
use crate::store::{Health, Store, StoreError};

/// Commits of the story; each of them fails once.
const BATCHES: u64 = 30;
/// Commits after the restart, to see that work goes on.
const BATCHES_AFTER: usize = 5;

pub async fn a_failed_commit_leaves_all_or_nothing_and_no_later_write_succeeds<
    S: Faulty,
    F: Future<Output = S>,
>(
    make: impl Fn() -> F,
) {
    for failing in 0..BATCHES {
        fail_at(make().await, failing).await;
    }
}

/// Tells the story up to the commit number `failing`, restarts, and goes on.
async fn fail_at(subject: impl Faulty, failing: u64) {
    let context = format!("a fault at commit {failing}");
    let mut script = Script::new(77);
    let acknowledged = MemoryStore::default();
    let attempted = MemoryStore::default();
    subject.fail_after(failing);
    for _ in 0..failing {
        let batch = script.next_batch();
        attempted.commit(batch.clone()).await.expect("the model commits");
        let expected = acknowledged.commit(batch.clone()).await.expect("the model commits");
        let found = subject.store().commit(batch).await.expect("the fault comes later");
        assert!(expected == found, "{context}: the answer differs: {expected:#?} and {found:#?}");
        script.learn(&found);
    }
    let batch = script.next_batch();
    let failed = subject.store().commit(batch.clone()).await;
    assert!(matches!(failed, Err(StoreError::Faulted { .. })), "{context}: {failed:?}");
    attempted.commit(batch).await.expect("the model commits");
    refuses_every_write(subject.store(), &context).await;

    let subject = subject.reopen().await;
    assert_eq!(subject.store().health(), Health::Ok, "{context}");
    let model = survivor(subject.store(), [acknowledged, attempted], &script, &context).await;
    for _ in 0..BATCHES_AFTER {
        let batch = script.next_batch();
        let expected = model.commit(batch.clone()).await.expect("the model commits");
        let found = subject.store().commit(batch).await.expect("a store that was opened again commits");
        assert!(expected == found, "{context}: the answer differs: {expected:#?} and {found:#?}");
        script.learn(&found);
    }
    reads(&model, script.now()).await.assert_same(&reads(subject.store(), script.now()).await, &context);
}

async fn refuses_every_write(store: &dyn Store, context: &str) {
    assert!(matches!(store.health(), Health::Faulted(_)), "{context}: {:?}", store.health());
    let commit = store.commit(Batch::default()).await.map(drop);
    let put = store.put_package("digest".to_owned(), Bytes::from_static(b"zip")).await;
    let retain = store.retain_packages(Vec::new()).await.map(drop);
    for refused in [commit, put, retain] {
        assert!(matches!(refused, Err(StoreError::Faulted { .. })), "{context}: {refused:?}");
    }
}

/// The model that the store agrees with: with the failed batch as a whole or without any of it.
async fn survivor(
    store: &dyn Store,
    models: [MemoryStore; 2],
    script: &Script,
    context: &str,
) -> MemoryStore {
    let found = reads(store, script.now()).await;
    let mut differences = Vec::new();
    for model in models {
        let expected: Reads = reads(&model, script.now()).await;
        match expected.difference(&found) {
            None => return model,
            Some(difference) => differences.push(difference),
        }
    }
    panic!(
        "{context}: neither without the failed batch ({}) nor with it ({})",
        differences[0], differences[1]
    );
}

/// Many callers at once, so that a store may write several batches together: each learns the truth about its own.
pub async fn callers_at_the_time_of_a_fault_are_told_the_truth<S: Faulty, F: Future<Output = S>>(
    make: impl Fn() -> F,
) {
    for commits in 0..4 {
        let subject = make().await;
        subject.fail_after(commits);
        let (acknowledged, refused) = call_until_the_fault(subject.store()).await;
        let driver = Driver::new(subject.reopen().await);
        for caller in &acknowledged {
            assert_eq!(halves(&driver, caller).await, [true, true], "{caller} was acknowledged");
        }
        for caller in &refused {
            let [first, second] = halves(&driver, caller).await;
            assert_eq!(first, second, "{caller} is half there");
        }
        let there = every_page(driver.store(), all_tasks()).await.len() as u64;
        let ledger = driver.store().ledger(FUNCTION).await.expect("a ledger");
        assert!(ledger.balances() && ledger.accepted == there, "{there} tasks, {ledger:?}");
    }
}

/// Wave after wave of callers, until some are refused: who was acknowledged, and who was not.
async fn call_until_the_fault(store: &dyn Store) -> (Vec<String>, Vec<String>) {
    const CALLERS: usize = 12;
    let (mut acknowledged, mut refused) = (Vec::new(), Vec::new());
    for wave in 0..10 {
        let callers: Vec<_> = (0..CALLERS).map(|index| format!("caller-{wave}-{index}")).collect();
        let batch = |caller: &String| {
            let submissions = ["a", "b"].map(|half| task(&format!("{caller}-{half}"))).into();
            Batch { now: at(wave), submissions, ..Batch::default() }
        };
        let replies = join(callers.iter().map(|caller| store.commit(batch(caller))).collect()).await;
        for (caller, reply) in callers.into_iter().zip(replies) {
            if reply.is_ok() { acknowledged.push(caller) } else { refused.push(caller) }
        }
        if !refused.is_empty() {
            return (acknowledged, refused);
        }
    }
    panic!("the fault never came");
}

async fn halves<S: Faulty>(driver: &Driver<S>, caller: &str) -> [bool; 2] {
    [driver.task(&format!("{caller}-a")).await.is_some(), driver.task(&format!("{caller}-b")).await.is_some()]
}
