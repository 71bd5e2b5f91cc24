//! Batches: order within one, and many at once.

use std::future::poll_fn;
use std::task::Poll;

use bide_core::{Bucket, Command, Status};
use bide_types::Line;

use super::Subject;
use super::driver::{Driver, FUNCTION, at, fail, plain, start, succeed, task};
use super::reads::reads;
use crate::batch::{Batch, SubmitReply, Transition, TransitionReply};
use crate::store::{BoxFuture, Health, StoreError};

pub async fn operations_of_one_batch_see_those_before_them(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), task("job")).await;
    let claimed = driver.claim_one(at(0)).await.invocation;
    let transition = |command: Command, result| Transition {
        invocation: claimed.id,
        command,
        result: Some(result),
        log: None,
    };
    let transitions = vec![
        transition(start(claimed.epoch), "started".into()),
        transition(succeed(claimed.epoch), "first".into()),
        transition(fail(claimed.epoch), "second".into()),
    ];
    let replies = driver.commit(Batch { now: at(5), transitions, ..Batch::default() }).await.transitions;
    let applied = |status| TransitionReply::Applied {
        line: Line::latest(FUNCTION),
        status,
        due: None,
        delivery: false,
    };
    assert_eq!(replies[..2], [applied(Status::Running), applied(Status::Succeeded)]);
    assert!(matches!(replies[2], TransitionReply::Rejected(_)), "{:?}", replies[2]);
    let driver = driver.reopen().await;
    let view = driver.task("job").await.expect("a settled task stays");
    assert_eq!((view.invocation.status(), view.result.as_deref()), (Status::Succeeded, Some(&b"first"[..])));
}

/// Waits for all at once.
pub(super) async fn join<T>(mut futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut outputs: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (output, future) in outputs.iter_mut().zip(&mut futures) {
            if output.is_none()
                && let Poll::Ready(value) = future.as_mut().poll(context)
            {
                *output = Some(value);
            }
        }
        if outputs.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    outputs.into_iter().flatten().collect()
}

pub async fn batches_that_come_at_once_are_applied_one_after_the_other(subject: impl Subject) {
    const CALLERS: usize = 20;
    let driver = Driver::new(subject);
    let submit = |_| Batch { now: at(0), submissions: vec![plain(), task("same")], ..Batch::default() };
    let commits = (0..CALLERS).map(|index| driver.store().commit(submit(index))).collect();
    let mut ids = Vec::new();
    let mut duplicates = 0;
    for reply in join(commits).await {
        for submission in reply.expect("a healthy store commits").submissions {
            match submission {
                SubmitReply::Accepted { id, .. } => ids.push(id),
                SubmitReply::Duplicate => duplicates += 1,
            }
        }
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), duplicates), (CALLERS + 1, CALLERS - 1), "one of them took the task id");
    assert_eq!(driver.ledger().await.get(Bucket::Queued), CALLERS as u64 + 1);

    let claim = |_| Batch { now: at(1), claims: vec![driver.wish(2, at(1))], ..Batch::default() };
    let commits = (0..CALLERS).map(|index| driver.store().commit(claim(index))).collect();
    let replies = join(commits).await.into_iter().map(|reply| reply.expect("a healthy store commits"));
    let mut claimed: Vec<_> = replies
        .flat_map(|reply| reply.claims.into_iter().flat_map(|claim| claim.claimed))
        .map(|claimed| claimed.invocation.id)
        .collect();
    claimed.sort_unstable();
    assert_eq!(claimed, ids, "each was handed out once");
}

pub async fn a_closed_store_answers_nothing_and_has_lost_nothing(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), task("job")).await;
    let before = reads(driver.store(), at(0)).await;
    driver.store().close().await.expect("a healthy store closes");
    let store = driver.store();
    let late = store.commit(Batch { now: at(1), submissions: vec![plain()], ..Batch::default() }).await;
    assert!(matches!(late, Err(StoreError::Closed)), "{late:?}");
    let read = store.ledger(FUNCTION).await;
    assert!(matches!(read, Err(StoreError::Closed)), "{read:?}");
    let driver = driver.reopen().await;
    assert_eq!(driver.store().health(), Health::Ok);
    before.assert_same(&reads(driver.store(), at(0)).await, "after a close");
}
