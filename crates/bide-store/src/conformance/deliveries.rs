//! Destination records: made with the settlement, kept until they are delivered or given up.

use std::time::Duration;

use bide_core::{
    CallKind, Command, Delivery, DestinationStatus, Failure, FunctionError, Outcome, Policy, Run, Slot,
};
use bide_types::{InvocationId, Qualifier, RequestId};

use super::Subject;
use super::driver::{
    Driver, FUNCTION, at, deferred, due_deliveries, plain, succeed, task, with_destinations, with_qualifier,
};
use crate::batch::{
    Batch, DeliveryOutcome, PendingDelivery, SettleDelivery, StopReply, Transition, TransitionReply,
};

fn driver<S: Subject>(subject: S) -> Driver<S> {
    let mut driver = Driver::new(subject);
    driver.use_policy(with_destinations());
    driver
}

fn ids(deliveries: &[PendingDelivery]) -> Vec<InvocationId> {
    deliveries.iter().map(|pending| pending.delivery.invocation).collect()
}

fn gave_up() -> DeliveryOutcome {
    DeliveryOutcome::GaveUp { reason: "nobody took it".to_owned() }
}

async fn destination<S: Subject>(driver: &Driver<S>, task: &str) -> Option<DestinationStatus> {
    driver.task(task).await.map(|view| view.invocation.destination)
}

pub async fn a_success_leaves_a_record_with_event_and_result(subject: impl Subject) {
    let driver = driver(subject);
    let id = driver.submit(at(0), task("job")).await;
    let (_, epoch) = driver.start_one(at(1)).await;
    let reply = driver.transition(at(2), id, succeed(epoch), Some("done")).await;
    assert!(matches!(reply, TransitionReply::Applied { delivery: true, .. }), "{reply:?}");
    assert_eq!(destination(&driver, "job").await, Some(DestinationStatus::Pending));

    let driver = driver.reopen().await;
    let expected = PendingDelivery {
        delivery: Delivery {
            invocation: id,
            function: FUNCTION,
            qualifier: Qualifier::latest(),
            request_id: RequestId::new("request").expect("a valid request id"),
            kind: CallKind::Event,
            accepted_at: at(0),
            slot: Slot::Success,
            target: "on-success".to_owned(),
            outcome: Outcome::Succeeded,
            invoke_count: 1,
            parent: None,
            hops: 0,
        },
        attempts: 0,
        due: at(2),
        payload: "event of job".into(),
        result: "done".into(),
    };
    assert_eq!(driver.pending_deliveries().await, [expected]);
}

pub async fn a_failure_leaves_a_record_with_the_error(subject: impl Subject) {
    let mut driver = driver(subject);
    driver.use_policy(Policy { retries_max: 0, ..with_destinations() });
    driver.submit(at(0), plain()).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    let failure = Failure::Function(FunctionError::TimedOut);
    let command = Command::Fail { epoch, failure, run: Run::default() };
    driver.apply(at(1), id, command, Some("error")).await;
    let deliveries = driver.pending_deliveries().await;
    let [PendingDelivery { delivery, payload, result, .. }] = &deliveries[..] else {
        panic!("{deliveries:?}")
    };
    assert_eq!((delivery.slot, &delivery.outcome), (Slot::Failure, &Outcome::Failed { failure }));
    assert_eq!((&payload[..], &result[..]), (&b"event"[..], &b"error"[..]));
}

pub async fn an_end_without_a_run_leaves_a_record_without_a_result(subject: impl Subject) {
    let mut driver = driver(subject);
    driver.submit(at(0), deferred(task("stopped"), Duration::from_secs(60))).await;
    assert_eq!(driver.stop(at(1), "stopped").await, StopReply::Stopped { delivery: true });
    driver.use_policy(Policy { age_max: Duration::from_millis(1), ..with_destinations() });
    driver.submit(at(1), task("expired")).await;
    driver.submit(at(2), with_qualifier(task("invalid"), "prod")).await;
    let reply = driver.claim(at(10), 1).await;
    assert_eq!((reply.settled, reply.delivery), (1, true));
    let reply = driver.claim_of("prod", at(10), 1).await;
    assert_eq!((reply.settled, reply.delivery), (1, false));
    let deliveries = driver.pending_deliveries().await;
    let outcomes: Vec<_> = deliveries.iter().map(|pending| &pending.delivery.outcome).collect();
    assert_eq!(outcomes, [&Outcome::Stopped, &Outcome::Expired], "the invalid one never had a configuration");
    for pending in deliveries {
        assert_eq!((pending.delivery.invoke_count, &pending.result[..]), (0, &b""[..]));
        assert!(!pending.payload.is_empty());
    }
}

pub async fn without_a_target_no_record_is_made(subject: impl Subject) {
    let driver = Driver::new(subject);
    driver.settle(at(0), task("job")).await;
    assert_eq!(driver.pending_deliveries().await, []);
    assert_eq!(destination(&driver, "job").await, Some(DestinationStatus::None));
}

pub async fn records_come_in_the_order_of_due_times(subject: impl Subject) {
    let driver = driver(subject);
    let mut settled = Vec::new();
    for now in [30, 10, 20, 20] {
        settled.push(driver.settle(at(now), plain()).await);
    }
    let expected = [settled[1], settled[2], settled[3], settled[0]];
    let due = async |driver: &Driver<_>, now, max| {
        let (deliveries, next) = due_deliveries(driver.store(), at(now), max).await;
        (ids(&deliveries), next)
    };
    assert_eq!(due(&driver, 9, 10).await, (vec![], Some(at(10))));
    assert_eq!(due(&driver, 20, 10).await, (expected[..3].to_vec(), Some(at(30))));
    assert_eq!(due(&driver, 30, 2).await, (expected[..2].to_vec(), Some(at(20))));
    assert_eq!(due(&driver, 30, 0).await, (vec![], Some(at(10))));
    let driver = driver.reopen().await;
    assert_eq!(due(&driver, 30, 10).await, (expected.to_vec(), None));
}

pub async fn a_retry_puts_the_record_off_and_counts(subject: impl Subject) {
    let driver = driver(subject);
    let first = driver.settle(at(0), task("first")).await;
    let second = driver.settle(at(1), task("second")).await;
    for (attempt, due) in [(1, 500), (2, 1500)] {
        driver.deliver(at(10), first, DeliveryOutcome::RetryAt(at(due))).await;
        let deliveries = driver.pending_deliveries().await;
        assert_eq!(ids(&deliveries), [second, first]);
        assert_eq!((deliveries[1].attempts, deliveries[1].due), (attempt, at(due)));
        assert_eq!((deliveries[0].attempts, deliveries[0].due), (0, at(1)));
    }
    assert_eq!(destination(&driver, "first").await, Some(DestinationStatus::Pending));
    let driver = driver.reopen().await;
    let deliveries = driver.pending_deliveries().await;
    assert_eq!((deliveries[1].attempts, deliveries[1].due), (2, at(1500)));
    assert_eq!(
        (&deliveries[1].payload[..], &deliveries[1].result[..]),
        (&b"event of first"[..], &b"result"[..])
    );
}

pub async fn what_is_put_off_does_not_count_as_tried(subject: impl Subject) {
    let driver = driver(subject);
    let id = driver.settle(at(0), task("job")).await;
    driver.deliver(at(1), id, DeliveryOutcome::RetryAt(at(5))).await;
    driver.deliver(at(5), id, DeliveryOutcome::PutOff(at(50))).await;
    let driver = driver.reopen().await;
    let deliveries = driver.pending_deliveries().await;
    assert_eq!((ids(&deliveries), deliveries[0].attempts, deliveries[0].due), (vec![id], 1, at(50)));
    driver.deliver(at(50), id, DeliveryOutcome::Delivered).await;
    assert!(driver.store().delivery(id).await.expect("a read").is_none(), "it waits no longer");
}

pub async fn the_end_of_a_delivery_is_on_the_task(subject: impl Subject) {
    let driver = driver(subject);
    for (name, outcome, status) in [
        ("delivered", DeliveryOutcome::Delivered, DestinationStatus::Delivered),
        ("given-up", gave_up(), DestinationStatus::DeadLettered),
    ] {
        let id = driver.settle(at(0), task(name)).await;
        driver.deliver(at(1), id, DeliveryOutcome::RetryAt(at(2))).await;
        driver.deliver(at(2), id, outcome).await;
        assert_eq!(driver.pending_deliveries().await, []);
        assert_eq!(destination(&driver, name).await, Some(status));
        for late in [gave_up(), DeliveryOutcome::Delivered, DeliveryOutcome::RetryAt(at(9))] {
            driver.deliver(at(3), id, late.clone()).await;
            assert_eq!(destination(&driver, name).await, Some(status), "{late:?} comes late");
        }
        assert_eq!(driver.pending_deliveries().await, []);
    }
}

pub async fn two_outcomes_in_one_batch_are_taken_in_turn(subject: impl Subject) {
    let driver = driver(subject);
    let mut settled = Vec::new();
    for name in ["job", "other"] {
        settled.push(driver.settle(at(0), task(name)).await);
    }
    let outcome = |invocation, outcome| SettleDelivery { invocation, outcome };
    let deliveries = vec![
        outcome(settled[0], DeliveryOutcome::RetryAt(at(5))),
        outcome(settled[0], DeliveryOutcome::Delivered),
        outcome(settled[1], gave_up()),
        outcome(settled[1], DeliveryOutcome::RetryAt(at(5))),
    ];
    driver.commit(Batch { now: at(1), deliveries, ..Batch::default() }).await;
    assert_eq!(driver.pending_deliveries().await, []);
    assert_eq!(destination(&driver, "job").await, Some(DestinationStatus::Delivered));
    assert_eq!(destination(&driver, "other").await, Some(DestinationStatus::DeadLettered));
}

pub async fn a_record_is_not_settled_by_the_batch_that_adds_it(subject: impl Subject) {
    let driver = driver(subject);
    driver.submit(at(0), task("job")).await;
    let (id, epoch) = driver.start_one(at(0)).await;
    let transition = Transition { invocation: id, command: succeed(epoch), result: None, log: None };
    let outcomes = [DeliveryOutcome::RetryAt(at(9)), DeliveryOutcome::Delivered];
    let deliveries = outcomes.map(|outcome| SettleDelivery { invocation: id, outcome }).into();
    driver.commit(Batch { now: at(1), transitions: vec![transition], deliveries, ..Batch::default() }).await;
    let deliveries = driver.pending_deliveries().await;
    assert_eq!((ids(&deliveries), deliveries[0].attempts, deliveries[0].due), (vec![id], 0, at(1)));
}
