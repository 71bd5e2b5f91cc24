//! No lie to the disk: whatever step fails, at whatever group, what was answered is there and nothing later is.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use bide_core::Bucket;
use bide_store::{Batch, Health, Store, StoreError};
use bide_store_local::{LocalStore, Options, Step};
use bide_types::InvocationId;

use crate::support::{
    FUNCTION, TINY, Trap, assert_sound, at, directory, open, plain, run, submit, task, task_id,
};

/// Rounds of the story; each has a submission of two and a run of one.
const ROUNDS: u64 = 6;

/// What the callers of the story were told.
#[derive(Default)]
struct Told {
    tasks: Vec<u64>,
    succeeded: BTreeSet<InvocationId>,
}

/// Submits and runs until the first error.
async fn story(store: &LocalStore, told: &mut Told) -> Result<(), StoreError> {
    for round in 0..ROUNDS {
        submit(store, at(round), vec![task(round), plain(round)]).await?;
        told.tasks.push(round);
        told.succeeded.extend(run(store, at(round), 1).await?.iter().map(|claimed| claimed.invocation.id));
    }
    Ok(())
}

fn is_faulted<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Faulted { .. }))
}

/// Groups that the whole story makes.
async fn groups_of_the_story(path: &Path) -> u64 {
    let store = open(path);
    story(&store, &mut Told::default()).await.expect("nothing fails");
    store.stats().groups
}

#[tokio::test]
async fn a_fault_at_any_step_of_any_group_loses_nothing_that_was_answered() {
    let groups = groups_of_the_story(directory().path()).await;
    assert!(groups > 4 * ROUNDS - 1, "{groups} groups");
    for step in [Step::Write, Step::Flush] {
        for failing in 0..groups {
            fail_at(step, failing).await;
        }
    }
}

async fn fail_at(step: Step, failing: u64) {
    let context = format!("a fault at {step:?} of group {failing}");
    let directory = directory();
    let trap = Trap::at(step);
    trap.set(failing);
    let options = Options { head_limits: TINY, faults: Some(trap.hook()), ..Options::default() };
    let store = LocalStore::open(directory.path(), options).expect("the store opens");
    let mut told = Told::default();
    let ended = story(&store, &mut told).await;
    assert!(is_faulted(&ended), "{context}: {ended:?}");
    assert!(is_faulted(&store.commit(Batch::default()).await), "{context}: it goes on");
    assert!(matches!(store.health(), Health::Faulted(_)), "{context}");
    assert!(is_faulted(&store.close().await), "{context}: a clean end");
    drop(store);

    assert_sound(directory.path(), &context);
    let store = open(directory.path());
    for number in told.tasks {
        let found = store.task(FUNCTION, task_id(number)).await.expect("a read");
        assert!(found.is_some(), "{context}: task {number} was accepted and is gone");
    }
    let ledger = store.ledger(FUNCTION).await.expect("a read");
    assert!(ledger.balances(), "{context}");
    assert!(ledger.get(Bucket::Succeeded) >= told.succeeded.len() as u64, "{context}");
}

#[tokio::test]
async fn a_panic_of_the_writer_is_a_fault_and_leaves_no_caller_waiting() {
    let directory = directory();
    let options = Options { faults: Some(Arc::new(|_| panic!("asked for"))), ..Options::default() };
    let store = LocalStore::open(directory.path(), options).expect("the store opens");
    let callers: Vec<_> = (0..20)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { submit(&store, at(0), vec![task(number)]).await })
        })
        .collect();
    for caller in callers {
        let result = caller.await.expect("the caller does not panic");
        assert!(is_faulted(&result), "{result:?}");
    }
    let Health::Faulted(reason) = store.health() else { panic!("it is healthy") };
    assert!(reason.contains("asked for"), "{reason}");
    assert!(is_faulted(&store.put_package("aa".to_owned(), "zip".into()).await));
    drop(store);
    assert_sound(directory.path(), "after a panic");
}

#[tokio::test]
async fn everybody_in_a_failed_group_hears_of_it() {
    let directory = directory();
    let trap = Trap::at(Step::Flush);
    trap.set(0);
    let options = Options { faults: Some(trap.hook()), ..Options::default() };
    let store = LocalStore::open(directory.path(), options).expect("the store opens");
    let submissions = (0..50).map(|number| submit(&store, at(0), vec![task(number)]));
    for result in all(submissions).await {
        assert!(is_faulted(&result), "{result:?}");
    }
}

/// Runs futures at once, on this task.
async fn all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(move |context| {
        for (future, result) in running.iter_mut().filter(|(_, result)| result.is_none()) {
            if let std::task::Poll::Ready(ready) = future.as_mut().poll(context) {
                *result = Some(ready);
            }
        }
        match running.iter().all(|(_, result)| result.is_some()) {
            true => std::task::Poll::Ready(running.drain(..).filter_map(|(_, result)| result).collect()),
            false => std::task::Poll::Pending,
        }
    })
    .await
}
