//! Stop, in each state.

use std::sync::Arc;
use std::time::Duration;

use bide_core::{Bucket, Command, Outcome, Status};
use bide_types::InvocationId;

use super::Subject;
use super::driver::{
    Driver, FUNCTION, at, deferred, fail, start, succeed, task, task_id, throttle, with_destinations,
};
use crate::batch::{Batch, Stop, StopReply};

/// The task is stopped without another run, the failure destination hears of it, and no claim finds it.
async fn is_stopped_at_once<S: Subject>(driver: Driver<S>) {
    assert_eq!(driver.stop(at(10), "job").await, StopReply::Stopped { delivery: true });
    let driver = driver.reopen().await;
    assert_eq!(driver.status("job").await, Some(Status::Stopped));
    assert!(driver.claim(at(100_000), 10).await.claimed.is_empty(), "stopped work is never handed out");
    assert!(driver.store().waiting().await.expect("a read").is_empty());
    let ledger = driver.ledger().await;
    assert_eq!((ledger.get(Bucket::Stopped), ledger.open()), (1, 0));
    let deliveries = driver.pending_deliveries().await;
    assert_eq!((deliveries.len(), &deliveries[0].delivery.outcome), (1, &Outcome::Stopped));
    assert_eq!(driver.stop(at(20), "job").await, StopReply::Unchanged { status: Status::Stopped });
    assert_eq!(driver.pending_deliveries().await.len(), 1, "settled once");
}

/// The task is stopping; whoever holds the lease `id` must end it.
async fn is_stopping<S: Subject>(driver: &Driver<S>, id: InvocationId) {
    assert_eq!(driver.stop(at(10), "job").await, StopReply::Stopping { invocation: id });
    assert_eq!(driver.status("job").await, Some(Status::Stopping));
    assert_eq!(driver.stop(at(11), "job").await, StopReply::Unchanged { status: Status::Stopping });
    assert!(driver.claim(at(100_000), 10).await.claimed.is_empty(), "its lease is still out");
    assert!(driver.pending_deliveries().await.is_empty(), "it is not settled yet");
    assert_eq!(driver.ledger().await.open(), 1);
}

fn driver<S: Subject>(subject: S) -> Driver<S> {
    let mut driver = Driver::new(subject);
    driver.use_policy(with_destinations());
    driver
}

pub async fn a_deferred_task_is_stopped_at_once(subject: impl Subject) {
    let driver = driver(subject);
    driver.submit(at(0), deferred(task("job"), Duration::from_secs(30))).await;
    is_stopped_at_once(driver).await;
}

pub async fn a_task_in_line_is_stopped_at_once(subject: impl Subject) {
    let driver = driver(subject);
    driver.submit(at(0), task("job")).await;
    is_stopped_at_once(driver).await;
}

pub async fn a_task_that_backs_off_is_stopped_at_once(subject: impl Subject) {
    let driver = driver(subject);
    driver.submit(at(0), task("job")).await;
    let claimed = driver.claim_one(at(0)).await.invocation;
    assert_eq!(driver.apply(at(0), claimed.id, throttle(claimed.epoch), None).await, Status::Dequeued);
    is_stopped_at_once(driver).await;
}

pub async fn a_task_that_waits_for_a_retry_is_stopped_at_once(subject: impl Subject) {
    let driver = driver(subject);
    driver.submit(at(0), task("job")).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    assert_eq!(driver.apply(at(0), id, fail(epoch), None).await, Status::Retrying);
    is_stopped_at_once(driver).await;
}

pub async fn a_dequeued_task_is_stopping_until_its_holder_answers(subject: impl Subject) {
    let driver = driver(subject);
    driver.submit(at(0), task("job")).await;
    let claimed = driver.claim_one(at(0)).await.invocation;
    is_stopping(&driver, claimed.id).await;
    let rejected = driver.transition(at(20), claimed.id, start(claimed.epoch), None).await;
    assert!(matches!(rejected, crate::TransitionReply::Rejected(_)), "it must not start any more");
    let command = Command::FinishStop { epoch: claimed.epoch };
    assert_eq!(driver.apply(at(20), claimed.id, command, None).await, Status::Stopped);
    assert_eq!(driver.pending_deliveries().await.len(), 1);
}

pub async fn a_running_task_is_stopping_until_its_instance_is_gone(subject: impl Subject) {
    let driver = driver(subject);
    driver.submit(at(0), task("job")).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    is_stopping(&driver, id).await;
    let driver = driver.reopen().await;
    assert_eq!(driver.apply(at(20), id, Command::FinishStop { epoch }, None).await, Status::Stopped);
    assert_eq!(driver.ledger().await.get(Bucket::Stopped), 1);
    assert_eq!(driver.pending_deliveries().await.len(), 1);
}

pub async fn a_success_that_comes_after_the_stop_ends_as_stopped(subject: impl Subject) {
    let driver = driver(subject);
    driver.submit(at(0), task("job")).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    is_stopping(&driver, id).await;
    assert_eq!(driver.apply(at(20), id, succeed(epoch), Some("late")).await, Status::Stopped);
}

pub async fn a_settled_task_is_not_changed_by_a_stop(subject: impl Subject) {
    let driver = driver(subject);
    driver.settle(at(0), task("job")).await;
    assert_eq!(driver.stop(at(10), "job").await, StopReply::Unchanged { status: Status::Succeeded });
    assert_eq!(driver.status("job").await, Some(Status::Succeeded));
}

pub async fn a_task_can_be_stopped_in_the_batch_that_submits_it(subject: impl Subject) {
    let driver = driver(subject);
    let policies = driver.wish(0, at(0)).policies;
    let stop = |name| Stop { function: FUNCTION, task: task_id(name), policies: Arc::clone(&policies) };
    let stops = vec![stop("job"), stop("job"), stop("other")];
    let batch = Batch { now: at(0), submissions: vec![task("job")], stops, ..Batch::default() };
    assert_eq!(
        driver.commit(batch).await.stops,
        [
            StopReply::Stopped { delivery: true },
            StopReply::Unchanged { status: Status::Stopped },
            StopReply::NotFound
        ]
    );
    let driver = driver.reopen().await;
    assert_eq!(driver.status("job").await, Some(Status::Stopped));
    assert!(driver.claim(at(10), 1).await.claimed.is_empty());
    assert_eq!(driver.ledger().await.get(Bucket::Stopped), 1);
    assert_eq!(&driver.pending_deliveries().await[0].payload[..], b"event of job");
}

pub async fn a_stop_after_the_configuration_is_gone_tells_the_destination_known_before(
    subject: impl Subject,
) {
    let driver = driver(subject);
    driver.submit_all(at(0), vec![task("seen"), task("new")]).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    let stop = |name| Stop { function: FUNCTION, task: task_id(name), policies: Arc::default() };
    let stops = vec![stop("seen"), stop("new")];
    let replies = driver.commit(Batch { now: at(1), stops, ..Batch::default() }).await.stops;
    assert_eq!(replies, [StopReply::Stopping { invocation: id }, StopReply::Stopped { delivery: false }]);
    driver.apply(at(2), id, Command::FinishStop { epoch }, None).await;
    let deliveries = driver.pending_deliveries().await;
    assert_eq!((deliveries.len(), deliveries[0].delivery.target.as_str()), (1, "on-failure"));
}
