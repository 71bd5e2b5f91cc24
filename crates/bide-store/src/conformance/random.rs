//! Random stories: the store answers and remembers as the in-memory model does.

use std::future::Future;

use super::Subject;
use super::reads::{first_difference, reads};
use super::script::Script;
use crate::batch::{Batch, BatchReply};
use crate::memory::MemoryStore;
use crate::store::Store;

pub(crate) const SEEDS: u64 = 8;
pub(crate) const BATCHES: usize = 60;

/// Commits the same batch to both and compares the answers.
async fn commit_to_both(store: &dyn Store, model: &MemoryStore, batch: Batch, context: &str) -> BatchReply {
    let expected = model.commit(batch.clone()).await.expect("the model commits");
    let found = store.commit(batch.clone()).await.expect("a healthy store commits");
    if expected != found {
        let difference = first_difference(&format!("{expected:#?}"), &format!("{found:#?}"));
        panic!("{context}: the answer to {batch:#?} differs\n{difference}");
    }
    found
}

pub async fn every_read_agrees_with_the_model<S: Subject, F: Future<Output = S>>(make: impl Fn() -> F) {
    for seed in 0..SEEDS {
        let (subject, model) = (make().await, MemoryStore::default());
        let mut script = Script::new(seed);
        for index in 0..BATCHES {
            let context = format!("seed {seed}, batch {index}");
            let batch = script.next_batch();
            let reply = commit_to_both(subject.store(), &model, batch, &context).await;
            script.learn(&reply);
            let expected = reads(&model, script.now()).await;
            expected.assert_same(&reads(subject.store(), script.now()).await, &context);
        }
    }
}

pub async fn every_read_survives_a_reopen<S: Subject, F: Future<Output = S>>(make: impl Fn() -> F) {
    let (mut subject, model) = (make().await, MemoryStore::default());
    let mut script = Script::new(1000);
    for index in 0..BATCHES {
        let context = format!("reopened after batch {index}");
        let reply = commit_to_both(subject.store(), &model, script.next_batch(), &context).await;
        script.learn(&reply);
        subject = subject.reopen().await;
        let expected = reads(&model, script.now()).await;
        expected.assert_same(&reads(subject.store(), script.now()).await, &context);
    }
}
