//! What is kept, how long, and what goes with it.

use std::time::Duration;

use bide_core::{Bucket, Status};
use bide_types::limits::{ASYNC_PAYLOAD_BYTES_MAX, RETURN_PAYLOAD_BYTES_MAX};
use bytes::Bytes;

use super::Subject;
use super::driver::{
    Driver, all_tasks, at, deferred, every_page, plain, start, succeed, task, with_destinations,
};
use crate::batch::{Batch, DeliveryOutcome, SubmitReply, Transition};

pub async fn the_largest_event_and_result_are_kept(subject: impl Subject) {
    let driver = Driver::new(subject);
    let event = Bytes::from(vec![b'e'; ASYNC_PAYLOAD_BYTES_MAX]);
    let result = Bytes::from(vec![b'r'; RETURN_PAYLOAD_BYTES_MAX]);
    let mut submission = task("job");
    submission.payload = event.clone();
    let id = driver.submit(at(0), submission).await;
    let driver = driver.reopen().await;
    let claimed = driver.claim_one(at(0)).await;
    assert!(claimed.payload == event, "the event comes with the claim");
    driver.apply(at(0), id, start(claimed.invocation.epoch), None).await;
    let command = succeed(claimed.invocation.epoch);
    let transition = Transition { invocation: id, command, result: Some(result.clone()), log: None };
    driver.commit(Batch { now: at(1), transitions: vec![transition], ..Batch::default() }).await;
    let driver = driver.reopen().await;
    let view = driver.task("job").await.expect("a settled task stays");
    assert!(view.payload == Some(event) && view.result == Some(result), "both are with the task");
}

pub async fn an_empty_event_and_an_empty_result_are_kept(subject: impl Subject) {
    let driver = Driver::new(subject);
    let mut submission = task("job");
    submission.payload = Bytes::new();
    driver.submit(at(0), submission).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    driver.apply(at(0), id, succeed(epoch), Some("")).await;
    let driver = driver.reopen().await;
    let view = driver.task("job").await.expect("a settled task stays");
    assert_eq!((view.payload, view.result), (Some(Bytes::new()), Some(Bytes::new())));
}

pub async fn a_purge_removes_what_settled_before(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), deferred(task("open"), Duration::from_secs(60))).await;
    for (name, now) in [("old", 0), ("edge", 10), ("young", 11)] {
        driver.settle(at(now), task(name)).await;
    }
    assert_eq!(driver.purge(at(100), at(10), 100).await, 1);
    assert_eq!(driver.task("old").await, None);
    for (name, status) in
        [("open", Status::Enqueued), ("edge", Status::Succeeded), ("young", Status::Succeeded)]
    {
        assert_eq!(driver.status(name).await, Some(status), "{name}");
    }
    assert_eq!(driver.purge(at(100), at(10), 100).await, 0);
    let ledger = driver.ledger().await;
    assert_eq!((ledger.accepted, ledger.get(Bucket::Succeeded), ledger.open()), (4, 3, 1));
}

pub async fn a_purge_removes_at_most_so_many_and_the_oldest_first(subject: impl Subject) {
    let driver = Driver::new(subject);
    for (name, now) in [("third", 30), ("first", 10), ("second", 20)] {
        driver.settle(at(now), task(name)).await;
    }
    assert_eq!(driver.purge(at(100), at(100), 0).await, 0);
    for gone in ["first", "second", "third"] {
        assert!(driver.task(gone).await.is_some(), "{gone}");
        assert_eq!(driver.purge(at(100), at(100), 1).await, 1);
        assert_eq!(driver.task(gone).await, None);
    }
    assert!(every_page(driver.store(), all_tasks()).await.is_empty());
}

pub async fn a_purged_task_id_can_be_used_again(subject: impl Subject) {
    let driver = Driver::new(subject);
    let first = driver.settle(at(0), task("job")).await;
    assert_eq!(driver.purge(at(100), at(100), 10).await, 1);
    let driver = driver.reopen().await;
    let mut submission = task("job");
    submission.payload = Bytes::from_static(b"another event");
    let second = driver.submit(at(200), submission).await;
    assert!(second > first);
    let view = driver.task("job").await.expect("submitted again");
    assert_eq!((view.invocation.id, view.payload.as_deref()), (second, Some(&b"another event"[..])));
    assert_eq!(view.result, None, "nothing is left of the first");
}

pub async fn a_task_whose_delivery_is_pending_is_not_purged(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.use_policy(with_destinations());
    let id = driver.settle(at(0), task("job")).await;
    assert_eq!(driver.purge(at(100), at(100), 10).await, 0);
    assert_eq!(driver.pending_deliveries().await.len(), 1);
    driver.deliver(at(100), id, DeliveryOutcome::Delivered).await;
    assert_eq!(driver.purge(at(100), at(100), 10).await, 1);
    assert_eq!(driver.task("job").await, None);
}

pub async fn ids_grow_over_reopening_and_clock_steps(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    let mut last = bide_types::InvocationId::new(0);
    for now in [1000, 1000, 0, 5000, 10] {
        let replies = driver.submit_all(at(now), vec![plain(), plain()]).await;
        for reply in replies {
            let SubmitReply::Accepted { id, .. } = reply else { panic!("not accepted") };
            assert!(id > last, "{id} after {last}");
            last = id;
        }
        driver = driver.reopen().await;
    }
    // Also when nothing is left that holds the last one.
    while !driver.claim(at(6000), 10).await.claimed.is_empty() {}
    for lease in driver.store().lapsed_leases(bide_core::LeaseHolder(99), at(0), 100).await.expect("leases") {
        driver.apply(at(6000), lease.invocation, start(lease.epoch), None).await;
        driver.apply(at(6000), lease.invocation, succeed(lease.epoch), None).await;
    }
    let driver = driver.reopen().await;
    assert!(driver.submit(at(0), plain()).await > last);
}
