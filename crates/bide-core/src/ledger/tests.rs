use super::*;
use crate::fixtures::{
    Story, UNHANDLED, at, backing_off, deferred, dequeued, enqueued, fail, retrying, running, stop, stopping,
    succeed,
};
use std::time::Duration;

#[test]
fn every_state_is_in_one_bucket() {
    let retry_lost = |mut story: Story| {
        story.invocation.retries = 3;
        story.then_with(at(0), |epoch| fail(epoch, UNHANDLED))
    };
    for (story, bucket) in [
        (Story::of(enqueued()), Bucket::Queued),
        (Story::of(deferred(Duration::from_secs(1))), Bucket::Deferred),
        (dequeued(), Bucket::Queued),
        (backing_off(), Bucket::Queued),
        (running(), Bucket::Running),
        (retrying(), Bucket::Retrying),
        (stopping(), Bucket::Running),
        (running().then_with(at(0), succeed), Bucket::Succeeded),
        (retry_lost(running()), Bucket::Failed),
        (Story::of(enqueued()).then(at(0), stop()), Bucket::Stopped),
    ] {
        assert_eq!(Bucket::of(&story.invocation), bucket, "{:?}", story.invocation.state);
    }
}

#[test]
fn a_ledger_balances_and_keeps_its_order() {
    let mut ledger = Ledger::default();
    for bucket in Bucket::ALL {
        ledger.accept(bucket);
    }
    ledger.shift(Bucket::Queued, Bucket::Running);
    assert!(ledger.balances());
    assert_eq!((ledger.accepted, ledger.open(), ledger.get(Bucket::Running)), (9, 4, 2));
    assert_eq!(Ledger::from_parts(9, *ledger.counts()), ledger);
    for (index, bucket) in Bucket::ALL.into_iter().enumerate() {
        assert_eq!(ledger.counts()[index], ledger.get(bucket), "{}", bucket.name());
    }
    assert!(!Ledger::from_parts(8, *ledger.counts()).balances());
}

#[test]
#[should_panic(expected = "leaves only the bucket that counts it")]
fn nothing_leaves_an_empty_bucket() {
    Ledger::default().shift(Bucket::Queued, Bucket::Running);
}
