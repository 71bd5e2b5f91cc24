use std::collections::BTreeSet;

use bide_core::Bucket;

use super::*;
use crate::batch::{StopReply, SubmitReply, TransitionReply};
use crate::conformance::script::Script;
use crate::conformance::{Faulty, Subject};

impl Subject for MemoryStore {
    fn store(&self) -> &dyn Store {
        self
    }

    async fn reopen(self) -> Self {
        MemoryStore::reopen(&self)
    }
}

impl Faulty for MemoryStore {
    fn fail_after(&self, commits: u64) {
        MemoryStore::fail_after(self, commits);
    }
}

async fn memory() -> MemoryStore {
    MemoryStore::default()
}

crate::conformance!(memory);
crate::conformance_faults!(memory);

/// Counts the open records of a function again.
fn recount(data: &Data, function: FunctionId) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for record in data.records.values().filter(|record| record.invocation.function == function) {
        let bucket = Bucket::of(&record.invocation);
        if !bucket.is_settled() {
            *counts.entry(bucket.name()).or_default() += 1;
        }
    }
    counts
}

#[tokio::test]
async fn the_ledger_agrees_with_a_recount_after_every_batch() {
    for seed in 0..20 {
        let (store, mut script) = (MemoryStore::default(), Script::new(seed));
        let mut accepted: BTreeMap<FunctionId, u64> = BTreeMap::new();
        for index in 0..80 {
            let batch = script.next_batch();
            let functions: Vec<_> =
                batch.submissions.iter().map(|submission| submission.enqueue.function).collect();
            let accompanying: Vec<Vec<_>> = batch
                .controls
                .iter()
                .map(|change| {
                    change.submissions.iter().map(|submission| submission.enqueue.function).collect()
                })
                .collect();
            let reply = store.commit(batch).await.expect("the model commits");
            let changed = accompanying.into_iter().zip(&reply.controls).filter(|(_, reply)| reply.is_ok());
            for function in changed.flat_map(|(functions, _)| functions) {
                *accepted.entry(function).or_default() += 1;
            }
            for (function, _) in functions
                .into_iter()
                .zip(&reply.submissions)
                .filter(|(_, reply)| matches!(reply, SubmitReply::Accepted { .. }))
            {
                *accepted.entry(function).or_default() += 1;
            }
            script.learn(&reply);
            let data = store.lock();
            for (function, ledger) in &data.ledgers {
                let context = format!("seed {seed}, batch {index}, {function}: {ledger:?}");
                assert!(ledger.balances(), "{context}");
                assert_eq!(Some(&ledger.accepted), accepted.get(function), "{context}");
                let open = Bucket::ALL.into_iter().filter(|bucket| !bucket.is_settled());
                let open = open.filter(|bucket| ledger.get(*bucket) > 0);
                let open: BTreeMap<_, _> = open.map(|bucket| (bucket.name(), ledger.get(bucket))).collect();
                assert_eq!(open, recount(&data, *function), "{context}");
            }
        }
    }
}

#[tokio::test]
async fn a_ledger_that_does_not_count_what_is_there_is_reported_as_damage() {
    let (store, mut script) = (MemoryStore::default(), Script::new(3));
    let submissions: Vec<_> = std::iter::repeat_with(|| script.next_batch()).take(20).collect();
    let submissions: Vec<_> = submissions.into_iter().flat_map(|batch| batch.submissions).collect();
    let now = script.now();
    store.commit(Batch { now, submissions, ..Batch::default() }).await.expect("the model commits");
    store.lock().ledgers.clear();
    let id = *store.lock().records.keys().next().expect("something was submitted");
    let command = bide_core::Command::Invalidate { reason: "gone".to_owned(), policy: None };
    let transitions = vec![crate::batch::Transition { invocation: id, command, result: None, log: None }];
    let reply = store.commit(Batch { now, transitions, ..Batch::default() }).await;
    let Err(StoreError::Damaged { place, reason }) = reply else { panic!("{reply:?}") };
    assert!(place.starts_with("the ledger of fn-") && reason.contains(&id.to_string()), "{place}: {reason}");
    assert!(store.lock().records[&id].invocation.settlement().is_none(), "nothing was changed");
}

/// What a reply tells, in words.
fn kinds(reply: &BatchReply) -> Vec<String> {
    let mut kinds = Vec::new();
    for transition in &reply.transitions {
        kinds.push(match transition {
            TransitionReply::Applied { status, .. } => format!("transition to {}", status.as_str()),
            TransitionReply::Rejected(_) => "transition rejected".to_owned(),
            TransitionReply::NotFound => "transition not found".to_owned(),
        });
    }
    for stop in &reply.stops {
        kinds.push(match stop {
            StopReply::Stopped { .. } => "stopped".to_owned(),
            StopReply::Stopping { .. } => "stopping".to_owned(),
            StopReply::Unchanged { .. } => "stop unchanged".to_owned(),
            StopReply::NotFound => "stop not found".to_owned(),
        });
    }
    if reply.submissions.contains(&SubmitReply::Duplicate) {
        kinds.push("duplicate".to_owned());
    }
    for claim in &reply.claims {
        kinds.push(format!("claim of {}", claim.claimed.len().min(2)));
        kinds.push(format!("claim that settles {}", claim.settled.min(1)));
    }
    kinds.extend(reply.purges.iter().map(|removed| format!("purge of {}", (*removed).min(2))));
    let word = |control: &Result<_, _>| if control.is_ok() { "control" } else { "conflict" };
    kinds.extend(reply.controls.iter().map(|control| word(control).to_owned()));
    kinds
}

/// What the suite means its stories to reach.
const KINDS: &str = "transition to Dequeued, transition to Running, transition to Retrying, transition to Stopping, \
    transition to Succeeded, transition to Failed, transition to Stopped, transition to Invalid, \
    transition rejected, transition not found, stopped, stopping, stop unchanged, \
    stop not found, duplicate, claim of 0, claim of 1, claim of 2, claim that settles 1, purge of 0, purge of 1, \
    purge of 2, control, conflict, delivery tried 0 times, delivery tried 1 times, delivery tried 2 times, \
    destination None, destination Pending, destination Delivered, destination Failed, destination DeadLettered";

#[tokio::test]
async fn the_random_stories_reach_every_kind_of_answer() {
    let mut seen = BTreeSet::new();
    for seed in 0..crate::conformance::random::SEEDS {
        let (store, mut script) = (MemoryStore::default(), Script::new(seed));
        for _ in 0..crate::conformance::random::BATCHES {
            let reply = store.commit(script.next_batch()).await.expect("the model commits");
            script.learn(&reply);
            seen.extend(kinds(&reply));
            let data = store.lock();
            let tries = data.deliveries.values().map(|kept| kept.attempts.min(2));
            seen.extend(tries.map(|attempts| format!("delivery tried {attempts} times")));
            let records = data.records.values();
            seen.extend(records.map(|record| format!("destination {:?}", record.invocation.destination)));
        }
    }
    let missing: Vec<_> = KINDS.split(", ").filter(|kind| !seen.contains(*kind)).collect();
    assert!(missing.is_empty(), "{missing:?} are not in {seen:#?}");
}
