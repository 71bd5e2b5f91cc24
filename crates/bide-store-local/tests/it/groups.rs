//! Group commit: what waits while the disk flushes shares the next flush, and later batches see earlier ones.

use std::sync::{Arc, Condvar, Mutex};

use bide_store::{Batch, ClaimListener, Claimed, Stop, StopReply, Store, SubmitReply};
use bide_store_local::{FaultHook, LocalStore, Options, Step};

use crate::support::{FUNCTION, at, claim, claim_batch, directory, open, submit, task, task_id};

/// Holds the writer at its first flush until it is opened.
#[derive(Clone, Default)]
struct Gate {
    state: Arc<(Mutex<GateState>, Condvar)>,
}

#[derive(Default)]
struct GateState {
    reached: bool,
    open: bool,
}

impl Gate {
    fn hook(&self) -> FaultHook {
        let gate = self.clone();
        Arc::new(move |step| {
            let (state, changed) = &*gate.state;
            let mut state = state.lock().expect("nobody panics");
            if step == Step::Flush {
                state.reached = true;
                changed.notify_all();
                let _open = changed.wait_while(state, |state| !state.open).expect("nobody panics");
            }
            Ok(())
        })
    }

    fn wait_until_reached(&self) {
        let (state, changed) = &*self.state;
        let state = state.lock().expect("nobody panics");
        let _reached = changed.wait_while(state, |state| !state.reached).expect("nobody panics");
    }

    fn open(&self) {
        let (state, changed) = &*self.state;
        state.lock().expect("nobody panics").open = true;
        changed.notify_all();
    }
}

/// Polls once, so that the batch is on its way.
async fn begin(future: &mut (impl Future + Unpin)) {
    let begun = std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
    });
    assert!(begun.await, "the writer stands at the gate");
}

#[tokio::test]
async fn what_arrives_while_a_flush_runs_shares_the_next_one() {
    let directory = directory();
    let gate = Gate::default();
    let options = Options { faults: Some(gate.hook()), ..Options::default() };
    let store = LocalStore::open(directory.path(), options).expect("the store opens");
    let mut first = Box::pin(submit(&store, at(0), vec![task(0)]));
    begin(&mut first).await;
    gate.wait_until_reached();
    let mut others: Vec<_> =
        (1..=100).map(|number| Box::pin(submit(&store, at(0), vec![task(number)]))).collect();
    for other in &mut others {
        begin(other).await;
    }
    assert_eq!(
        store.ledger(FUNCTION).await.expect("a read").accepted,
        0,
        "nothing is flushed, so nothing is seen"
    );
    assert_eq!(store.waiting().await.expect("a read"), []);
    gate.open();
    first.await.expect("a commit");
    for other in others {
        other.await.expect("a commit");
    }
    let stats = store.stats();
    assert_eq!((stats.batches, stats.operations, stats.groups, stats.flushes), (101, 101, 2, 2));
    assert_eq!(store.ledger(FUNCTION).await.expect("a read").accepted, 101);
}

#[tokio::test]
async fn a_batch_sees_the_earlier_batches_of_its_group() {
    let directory = directory();
    let gate = Gate::default();
    let options = Options { faults: Some(gate.hook()), ..Options::default() };
    let store = LocalStore::open(directory.path(), options).expect("the store opens");
    let mut first = Box::pin(submit(&store, at(0), vec![task(0)]));
    begin(&mut first).await;
    gate.wait_until_reached();

    let one = |number| Batch { now: at(1), submissions: vec![task(number)], ..Batch::default() };
    let stop = Stop { function: FUNCTION, task: task_id(2), policies: Arc::default() };
    let stops = Batch { now: at(2), stops: vec![stop], ..Batch::default() };
    let mut submitted = store.commit(one(1));
    let mut duplicate = store.commit(one(1));
    let mut deferred = store.commit(one(2));
    let mut stopped = store.commit(stops);
    let mut claimed = Box::pin(claim(&store, at(3), 10));
    for batch in [&mut submitted, &mut duplicate, &mut deferred, &mut stopped] {
        begin(batch).await;
    }
    begin(&mut claimed).await;
    gate.open();

    assert!(matches!(submitted.await.expect("a commit").submissions[..], [SubmitReply::Accepted { .. }]));
    assert!(matches!(duplicate.await.expect("a commit").submissions[..], [SubmitReply::Duplicate]));
    assert!(matches!(deferred.await.expect("a commit").submissions[..], [SubmitReply::Accepted { .. }]));
    assert!(matches!(stopped.await.expect("a commit").stops[..], [StopReply::Stopped { .. }]));
    let claimed = claimed.await.expect("a claim");
    let names = claimed.iter().filter_map(|claimed| claimed.invocation.task_id().cloned());
    assert_eq!(names.collect::<Vec<_>>(), [task_id(0), task_id(1)]);
    first.await.expect("a commit");
    assert_eq!(store.stats().flushes, 2);
}

#[tokio::test]
async fn a_batch_that_writes_nothing_needs_no_flush() {
    let directory = directory();
    let store = open(directory.path());
    submit(&store, at(0), vec![task(1)]).await.expect("a commit");
    assert_eq!(submit(&store, at(1), vec![task(1)]).await.expect("a commit"), [], "a duplicate");
    assert!(claim(&store, at(2), 5).await.expect("a claim").len() == 1);
    assert!(claim(&store, at(3), 5).await.expect("a claim").is_empty());
    let stats = store.stats();
    assert_eq!((stats.groups, stats.flushes), (4, 2));
}

/// A batch that claims one, and what its listener has been told.
fn overheard_claim(store: &LocalStore, millis: u64) -> (Batch, Arc<Mutex<Vec<Claimed>>>) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listener = {
        let told = Arc::clone(&told);
        ClaimListener::new(move |claims| {
            let claimed = claims.iter().flat_map(|reply| reply.claimed.clone());
            told.lock().expect("nobody panics").extend(claimed);
        })
    };
    (Batch { on_claims: Some(listener), ..claim_batch(store, at(millis), 1) }, told)
}

#[tokio::test]
async fn claims_are_told_before_their_flush_and_answered_after_it() {
    let directory = directory();
    let store = open(directory.path());
    submit(&store, at(0), vec![task(1)]).await.expect("stored");
    store.close().await.expect("closed");
    let gate = Gate::default();
    let options = Options { faults: Some(gate.hook()), ..Options::default() };
    let store = LocalStore::open(directory.path(), options).expect("opened");
    let (batch, told) = overheard_claim(&store, 1);
    let mut claiming = store.commit(batch);
    begin(&mut claiming).await;
    gate.wait_until_reached();
    assert_eq!(told.lock().expect("nobody panics").len(), 1);
    begin(&mut claiming).await; // still without an answer
    gate.open();
    let reply = claiming.await.expect("stored");
    assert_eq!(reply.claims[0].claimed, *told.lock().expect("nobody panics"));
    assert_eq!(told.lock().expect("nobody panics").len(), 1, "told once");
}

#[tokio::test]
async fn an_epoch_that_was_told_and_then_lost_is_never_granted_again() {
    let directory = directory();
    let store = open(directory.path());
    submit(&store, at(0), vec![task(1)]).await.expect("stored");
    store.close().await.expect("closed");
    // The write never happens, as when the process dies between telling and flushing.
    let failing: FaultHook = Arc::new(|_| Err(std::io::Error::other("the process dies here")));
    let options = Options { faults: Some(failing), ..Options::default() };
    let store = LocalStore::open(directory.path(), options).expect("opened");
    let (batch, told) = overheard_claim(&store, 1);
    store.commit(batch).await.expect_err("lost");
    let lost = told.lock().expect("nobody panics")[0].invocation.epoch;
    drop(store);
    let store = open(directory.path());
    let again = claim(&store, at(2), 1).await.expect("claimed");
    assert_eq!(again.len(), 1, "it still waits");
    assert!(again[0].invocation.epoch > lost);
}
