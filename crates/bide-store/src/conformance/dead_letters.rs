//! Destination records that were given up: kept, delivered again, dropped.

use bide_core::DestinationStatus;
use bide_types::InvocationId;

use super::Subject;
use super::driver::{Driver, at, plain, task, with_destinations};
use crate::batch::{Batch, DeadLetterChange, DeliveryOutcome, SettleDelivery};

fn driver<S: Subject>(subject: S) -> Driver<S> {
    let mut driver = Driver::new(subject);
    driver.use_policy(with_destinations());
    driver
}

/// A plain invocation whose record is given up at a moment.
async fn dead<S: Subject>(driver: &Driver<S>, millis: u64) -> InvocationId {
    let id = driver.settle(at(millis), plain()).await;
    driver.give_up(at(millis), id, &format!("reason {millis}")).await;
    id
}

async fn ids<S: Subject>(driver: &Driver<S>) -> Vec<InvocationId> {
    driver.dead_letters().await.iter().map(|letter| letter.delivery.invocation).collect()
}

pub async fn what_is_given_up_is_kept_with_its_reason(subject: impl Subject) {
    let driver = driver(subject);
    let id = driver.settle(at(0), task("job")).await;
    driver.deliver(at(1), id, DeliveryOutcome::RetryAt(at(2))).await;
    driver.give_up(at(2), id, "it says no").await;
    assert_eq!(driver.pending_deliveries().await, []);
    assert!(driver.store().delivery(id).await.expect("a read").is_none(), "it is not due any more");
    let driver = driver.reopen().await;
    let letters = driver.dead_letters().await;
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!((letter.attempts, letter.since, letter.reason.as_str()), (2, at(2), "it says no"));
    assert_eq!((letter.delivery.invocation, letter.delivery.target.as_str()), (id, "on-success"));
    let (same, record) = driver.store().dead_letter(id).await.expect("a read").expect("it is there");
    assert_eq!(&same, letter);
    assert_eq!((&record.payload[..], &record.result[..]), (&b"event of job"[..], &b"result"[..]));
    let view = driver.task("job").await.expect("a settled task stays");
    assert_eq!(view.invocation.destination, DestinationStatus::DeadLettered);
}

pub async fn a_dead_letter_is_delivered_again_as_if_never_tried(subject: impl Subject) {
    let driver = driver(subject);
    let id = dead(&driver, 0).await;
    assert_eq!(driver.change_letter(at(50), DeadLetterChange::Redrive(id)).await, 1);
    assert_eq!(driver.dead_letters().await, []);
    let driver = driver.reopen().await;
    let pending = driver.pending_deliveries().await;
    let [record] = &pending[..] else { panic!("{pending:?}") };
    assert_eq!((record.delivery.invocation, record.attempts, record.due), (id, 0, at(50)));
    assert_eq!((&record.payload[..], &record.result[..]), (&b"event"[..], &b"result"[..]));
    driver.give_up(at(60), id, "again").await;
    assert_eq!(ids(&driver).await, [id]);
    driver.change_letter(at(70), DeadLetterChange::Redrive(id)).await;
    driver.deliver(at(80), id, DeliveryOutcome::Delivered).await;
    assert_eq!((driver.pending_deliveries().await, driver.dead_letters().await), (vec![], vec![]));
}

pub async fn a_dropped_letter_is_gone(subject: impl Subject) {
    let driver = driver(subject);
    let (plain, named) = (dead(&driver, 0).await, driver.settle(at(1), task("job")).await);
    driver.give_up(at(2), named, "no").await;
    for id in [plain, named] {
        assert_eq!(driver.change_letter(at(3), DeadLetterChange::Drop(id)).await, 1);
        assert_eq!(driver.change_letter(at(3), DeadLetterChange::Drop(id)).await, 0);
        assert_eq!(driver.change_letter(at(3), DeadLetterChange::Redrive(id)).await, 0);
        assert!(driver.store().dead_letter(id).await.expect("a read").is_none());
    }
    let driver = driver.reopen().await;
    assert_eq!((driver.pending_deliveries().await, driver.dead_letters().await), (vec![], vec![]));
    let view = driver.task("job").await.expect("the task stays");
    assert_eq!(view.invocation.destination, DestinationStatus::Failed);
    assert_eq!(driver.purge(at(100), at(100), 10).await, 1, "and goes with the retention");
}

pub async fn the_oldest_letters_are_dropped_first(subject: impl Subject) {
    let driver = driver(subject);
    let mut letters = Vec::new();
    for millis in [30, 10, 20, 40] {
        letters.push(dead(&driver, millis).await);
    }
    let drop = |before, max| DeadLetterChange::DropBefore { before: at(before), max };
    assert_eq!(driver.change_letter(at(50), drop(10, 10)).await, 0);
    assert_eq!(driver.change_letter(at(50), drop(31, 1)).await, 1);
    assert_eq!(ids(&driver).await, [letters[2], letters[0], letters[3]]);
    assert_eq!(driver.change_letter(at(50), drop(31, 10)).await, 2);
    let driver = driver.reopen().await;
    assert_eq!(ids(&driver).await, [letters[3]]);
}

pub async fn letters_come_in_pages_in_the_order_of_time(subject: impl Subject) {
    let driver = driver(subject);
    let mut expected = Vec::new();
    for millis in [10, 20, 20, 30, 40] {
        expected.push(dead(&driver, millis).await);
    }
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = driver.store().dead_letters(after, 2).await.expect("a read");
        let Some(last) = page.last() else { break };
        after = Some((last.since, last.delivery.invocation));
        found.extend(page.iter().map(|letter| letter.delivery.invocation));
    }
    assert_eq!(found, expected);
}

pub async fn a_task_with_a_dead_letter_is_not_purged(subject: impl Subject) {
    let driver = driver(subject);
    let id = driver.settle(at(0), task("job")).await;
    driver.give_up(at(1), id, "no").await;
    assert_eq!(driver.purge(at(100), at(100), 10).await, 0);
    assert!(driver.task("job").await.is_some());
    driver.change_letter(at(100), DeadLetterChange::Redrive(id)).await;
    driver.deliver(at(100), id, DeliveryOutcome::Delivered).await;
    assert_eq!(driver.purge(at(200), at(200), 10).await, 1);
}

pub async fn what_is_no_dead_letter_is_not_changed(subject: impl Subject) {
    let driver = driver(subject);
    let id = driver.settle(at(0), task("job")).await;
    for change in [DeadLetterChange::Redrive(id), DeadLetterChange::Drop(id)] {
        assert_eq!(driver.change_letter(at(1), change).await, 0);
    }
    assert_eq!(driver.pending_deliveries().await.len(), 1);
    // Given up and taken up again in one batch.
    let deliveries =
        vec![SettleDelivery { invocation: id, outcome: DeliveryOutcome::GaveUp { reason: "no".to_owned() } }];
    let dead_letters = vec![DeadLetterChange::Redrive(id)];
    driver.commit(Batch { now: at(2), deliveries, dead_letters, ..Batch::default() }).await;
    let pending = driver.pending_deliveries().await;
    assert_eq!((pending.len(), pending[0].attempts, pending[0].due), (1, 0, at(2)));
    assert_eq!(driver.dead_letters().await, []);
}
