//! From submission to the end of the record.

use std::time::Duration;

use bide_core::{Bucket, CallKind, Epoch, Mode, Rejected, Status};
use bide_types::{InvocationId, Line};

use super::Subject;
use super::driver::{
    Driver, FUNCTION, HOLDER, OTHER_FUNCTION, all_tasks, at, every_page, fail, http_task, of, plain, start,
    succeed, task, with_destinations,
};
use super::reads::reads;
use crate::batch::{Batch, DeliveryOutcome, StopReply, SubmitReply, TransitionReply};

pub async fn a_task_goes_from_submission_to_success(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.submit(at(0), task("job")).await;
    assert_eq!(driver.status("job").await, Some(Status::Enqueued));
    assert_eq!(driver.ledger().await.get(Bucket::Queued), 1);

    let claimed = driver.claim_one(at(10)).await;
    assert_eq!((claimed.invocation.id, &claimed.payload[..]), (id, &b"event of job"[..]));
    assert_eq!(claimed.invocation.epoch, Epoch(1));
    assert_eq!(driver.status("job").await, Some(Status::Dequeued));

    assert_eq!(driver.apply(at(20), id, start(Epoch(1)), None).await, Status::Running);
    assert_eq!(driver.ledger().await.get(Bucket::Running), 1);
    let reply = driver.transition(at(30), id, succeed(Epoch(1)), Some("done")).await;
    assert_eq!(
        reply,
        TransitionReply::Applied {
            line: Line::latest(FUNCTION),
            status: Status::Succeeded,
            due: None,
            delivery: false
        }
    );

    let view = driver.task("job").await.expect("a settled task stays");
    assert_eq!(view.payload.as_deref(), Some(&b"event of job"[..]));
    assert_eq!(view.result.as_deref(), Some(&b"done"[..]));
    let Mode::Task { timeline, .. } = &view.invocation.mode else { panic!("it is a task") };
    let timeline: Vec<_> = timeline.iter().map(|event| (event.status, event.at)).collect();
    assert_eq!(
        timeline,
        [
            (Status::Enqueued, at(0)),
            (Status::Dequeued, at(10)),
            (Status::Running, at(20)),
            (Status::Succeeded, at(30))
        ]
    );
    let ledger = driver.ledger().await;
    assert_eq!((ledger.accepted, ledger.get(Bucket::Succeeded), ledger.open()), (1, 1, 0));
}

pub async fn what_the_payload_is_stays_known_to_the_end(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.use_policy(with_destinations());
    driver.submit_all(at(0), vec![http_task("http"), task("event")]).await;
    let driver = driver.reopen().await;
    let kind =
        async |driver: &Driver<_>, id: &str| driver.task(id).await.expect("it is known").invocation.kind;
    assert_eq!(kind(&driver, "http").await, CallKind::Http);
    let claimed = driver.claim(at(1), 2).await.claimed;
    let kinds: Vec<_> = claimed.iter().map(|claimed| claimed.invocation.kind).collect();
    assert_eq!(kinds, [CallKind::Http, CallKind::Event]);
    for claimed in claimed {
        let (id, epoch) = (claimed.invocation.id, claimed.invocation.epoch);
        driver.apply(at(2), id, start(epoch), None).await;
        driver.apply(at(3), id, succeed(epoch), None).await;
    }
    let driver = driver.reopen().await;
    let kinds: Vec<_> =
        driver.pending_deliveries().await.iter().map(|pending| pending.delivery.kind).collect();
    assert_eq!(kinds, [CallKind::Http, CallKind::Event]);
    assert_eq!(kind(&driver, "http").await, CallKind::Http);
}

pub async fn a_failed_attempt_is_retried_when_due(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), task("job")).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    let TransitionReply::Applied { status, due: Some(due), .. } =
        driver.transition(at(100), id, fail(epoch), Some("error")).await
    else {
        panic!("a failure is retried")
    };
    assert_eq!((status, due), (Status::Retrying, at(600)));
    assert_eq!(driver.ledger().await.get(Bucket::Retrying), 1);
    assert_eq!(driver.task("job").await.and_then(|view| view.result), None, "only the last result is kept");

    assert!(driver.claim(at(599), 1).await.claimed.is_empty());
    let claimed = driver.claim_one(at(600)).await;
    assert_eq!((claimed.invocation.epoch, claimed.invocation.retries), (Epoch(2), 1));
    assert_eq!(&claimed.payload[..], b"event of job");
}

pub async fn a_task_id_is_taken_once_per_function(subject: impl Subject) {
    let driver = Driver::new(subject);
    let replies = driver.submit_all(at(0), vec![task("job"), task("job"), task("other")]).await;
    assert!(matches!(
        replies[..],
        [SubmitReply::Accepted { .. }, SubmitReply::Duplicate, SubmitReply::Accepted { .. }]
    ));
    assert_eq!(driver.submit_all(at(1), vec![task("job")]).await, [SubmitReply::Duplicate]);
    assert_eq!(driver.ledger().await.accepted, 2, "a duplicate is not accepted");

    let (id, epoch) = driver.start_one(at(1)).await;
    driver.apply(at(2), id, succeed(epoch), None).await;
    assert_eq!(driver.submit_all(at(3), vec![task("job")]).await, [SubmitReply::Duplicate]);

    let replies = driver.submit_all(at(3), vec![of(task("job"), OTHER_FUNCTION), plain(), plain()]).await;
    assert!(replies.iter().all(|reply| matches!(reply, SubmitReply::Accepted { .. })), "{replies:?}");
}

pub async fn a_plain_record_goes_when_it_settles(subject: impl Subject) {
    let driver = Driver::new(subject);
    let id = driver.settle(at(0), plain()).await;
    assert_eq!(
        driver.transition(at(1), id, succeed(Epoch(1)), None).await,
        TransitionReply::NotFound,
        "nothing is left of it"
    );
    assert!(every_page(driver.store(), all_tasks()).await.is_empty());
    assert!(driver.store().lapsed_leases(HOLDER, at(u32::MAX.into()), 10).await.expect("leases").is_empty());
    assert_eq!(driver.ledger().await.get(Bucket::Succeeded), 1, "but that it was");
}

pub async fn a_plain_record_stays_while_its_delivery_is_pending(subject: impl Subject) {
    let mut driver = Driver::new(subject);
    driver.use_policy(with_destinations());
    let id = driver.settle(at(0), plain()).await;
    assert!(matches!(
        driver.transition(at(1), id, succeed(Epoch(1)), None).await,
        TransitionReply::Rejected(Rejected::Settled(Status::Succeeded))
    ));
    let driver = driver.reopen().await;
    let pending = driver.pending_deliveries().await;
    assert_eq!(
        (pending.len(), &pending[0].payload[..], &pending[0].result[..]),
        (1, &b"event"[..], &b"result"[..])
    );

    driver.deliver(at(2), id, DeliveryOutcome::Delivered).await;
    assert!(driver.pending_deliveries().await.is_empty());
    assert_eq!(driver.transition(at(3), id, succeed(Epoch(1)), None).await, TransitionReply::NotFound);
}

pub async fn a_rejected_transition_changes_nothing(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), task("job")).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    driver.apply(at(0), id, fail(epoch), None).await;
    let (_, epoch) = driver.start_one(at(500)).await;

    let before = reads(driver.store(), at(600)).await;
    let stale = Epoch(epoch.0 - 1);
    for command in [succeed(stale), fail(stale), start(stale)] {
        assert_eq!(
            driver.transition(at(600), id, command, Some("late")).await,
            TransitionReply::Rejected(Rejected::StaleEpoch { given: stale, current: epoch })
        );
    }
    before.assert_same(&reads(driver.store(), at(600)).await, "after rejected transitions");
}

pub async fn what_does_not_exist_is_not_found(subject: impl Subject) {
    let driver = Driver::new(subject);
    let unknown = InvocationId::new(12345);
    assert_eq!(driver.transition(at(0), unknown, succeed(Epoch(1)), None).await, TransitionReply::NotFound);
    assert_eq!(driver.stop(at(0), "job").await, StopReply::NotFound);
    assert_eq!(driver.task("job").await, None);
    driver.deliver(at(0), unknown, DeliveryOutcome::Delivered).await;
    assert_eq!(driver.purge(at(0), at(0), 10).await, 0);
    assert_eq!(driver.claim(at(0), 10).await, crate::ClaimReply::default());
    assert_eq!(driver.ledger().await, bide_core::Ledger::default());
    assert!(driver.store().waiting().await.expect("a read").is_empty());
    assert!(driver.store().controls().await.expect("a read").is_empty());
}

pub async fn an_empty_batch_changes_nothing(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.submit(at(0), task("job")).await;
    let before = reads(driver.store(), at(0)).await;
    let later = at(Duration::from_secs(10).as_secs());
    assert_eq!(driver.commit(Batch { now: later, ..Batch::default() }).await, crate::BatchReply::default());
    before.assert_same(&reads(driver.store(), at(0)).await, "after an empty batch");
}
