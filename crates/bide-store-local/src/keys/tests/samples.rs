//! Fixed values that use every variant and field; what the golden files hold.

use std::time::Duration;

use bide_core::{
    CallKind, Delivery, DestinationStatus, Epoch, Event, Failure, FunctionError, Invocation, Lease,
    LeaseHolder, Mode, Outcome, Policy, Refusals, Settlement, Slot, State, Status,
};
use bide_store::{AttemptEnd, AttemptLog, LogText};
use bide_types::{
    FunctionId, InstanceId, InvocationId, Qualifier, RequestId, TaskId, Timestamp, TraceParent,
};

use bytes::Bytes;

use crate::keys::deliveries::{Place, StoredDelivery};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn instance() -> InstanceId {
    InstanceId::new("c-65920000-0001").expect("a valid id")
}

fn lease() -> Lease {
    Lease { epoch: Epoch(3), holder: LeaseHolder(7), expires_at: at(90_000) }
}

fn plain(number: u64, state: State) -> Invocation {
    Invocation {
        id: InvocationId::new(InvocationId::first_at(at(0)).get() + number),
        function: FunctionId::new(1),
        qualifier: Qualifier::latest(),
        request_id: RequestId::new("1f0e9a3c-0000-4000-8000-000000000001").expect("a valid id"),
        kind: CallKind::Event,
        parent: None,
        mode: Mode::Plain,
        accepted_at: at(0),
        not_before: at(2000),
        hops: 0,
        epoch: Epoch(0),
        runs: 0,
        retries: 0,
        refusals: None,
        policy: None,
        state,
        destination: DestinationStatus::None,
    }
}

fn task(number: u64, state: State, destination: DestinationStatus) -> Invocation {
    let event = |status, millis, detail: &str| Event { status, at: at(millis), detail: detail.to_owned() };
    Invocation {
        qualifier: Qualifier::new("prod").expect("a valid qualifier"),
        mode: Mode::Task {
            id: TaskId::new(&format!("task-{number}")).expect("a valid id"),
            timeline: vec![
                event(Status::Enqueued, 0, ""),
                event(Status::Dequeued, 5, ""),
                event(Status::Retrying, 10, "UnhandledInvocationError"),
            ],
        },
        hops: 2,
        epoch: Epoch(3),
        runs: 2,
        retries: 1,
        refusals: Some(Refusals { since: at(4), count: 5 }),
        policy: Some(Policy {
            retries_max: 3,
            age_max: Duration::from_millis(86_400_500),
            on_success: Some("acs:fc:::services/s/functions/good".to_owned()),
            on_failure: None,
        }),
        destination,
        ..plain(number, state)
    }
}

fn settled(number: u64, outcome: Outcome, destination: DestinationStatus) -> Invocation {
    let settlement = Settlement {
        outcome,
        at: at(3000),
        duration: Duration::from_micros(1_234_567),
        instance: Some(instance()),
    };
    task(number, State::Settled(settlement), destination)
}

/// What the first version could say.
pub(super) fn first_invocations() -> Vec<Invocation> {
    use DestinationStatus as Destination;
    let failed = |failure| Outcome::Failed { failure };
    vec![
        plain(1, State::Enqueued),
        plain(2, State::Backoff { due: at(500) }),
        plain(3, State::Stopping { lease: lease(), instance: None, since: at(9) }),
        task(4, State::Dequeued { lease: lease() }, Destination::None),
        task(5, State::Running { lease: lease(), instance: instance(), since: at(8) }, Destination::None),
        task(6, State::Retrying { due: at(1000) }, Destination::None),
        task(
            7,
            State::Stopping { lease: lease(), instance: Some(instance()), since: at(8) },
            Destination::None,
        ),
        settled(8, Outcome::Succeeded, Destination::Pending),
        settled(9, failed(Failure::Function(FunctionError::Handled)), Destination::Delivered),
        settled(10, failed(Failure::Function(FunctionError::Unhandled)), Destination::Failed),
        settled(11, failed(Failure::Function(FunctionError::TimedOut)), Destination::None),
        settled(12, failed(Failure::Function(FunctionError::OutOfMemory)), Destination::None),
        settled(13, failed(Failure::Throttled), Destination::None),
        settled(14, failed(Failure::System), Destination::None),
        settled(15, Outcome::Stopped, Destination::None),
        settled(16, Outcome::Expired, Destination::None),
        settled(17, Outcome::Invalid { reason: "no such qualifier".to_owned() }, Destination::None),
    ]
}

/// What the second version could say.
pub(super) fn second_invocations() -> Vec<Invocation> {
    let http = |invocation| Invocation { kind: CallKind::Http, ..invocation };
    let added = [
        http(plain(18, State::Enqueued)),
        http(settled(19, Outcome::Succeeded, DestinationStatus::Pending)),
        settled(20, Outcome::Expired, DestinationStatus::DeadLettered),
    ];
    first_invocations().into_iter().chain(added).collect()
}

pub(super) fn parent() -> TraceParent {
    TraceParent { trace: [0xa1; 16], span: [0xb2; 8], sampled: true }
}

pub(super) fn invocations() -> Vec<Invocation> {
    let traced = Invocation { parent: Some(parent()), ..plain(21, State::Enqueued) };
    let unsampled = Some(TraceParent { sampled: false, ..parent() });
    let settled = Invocation { parent: unsampled, ..settled(22, Outcome::Stopped, DestinationStatus::None) };
    second_invocations().into_iter().chain([traced, settled]).collect()
}

/// What the first version could say.
pub(super) fn first_deliveries() -> Vec<StoredDelivery> {
    let mut all = second_deliveries();
    all.truncate(2);
    all
}

pub(super) fn deliveries() -> Vec<StoredDelivery> {
    let mut all = third_deliveries();
    let mut traced = all[0].clone();
    traced.delivery.invocation = InvocationId::new(traced.delivery.invocation.get() + 200);
    traced.delivery.parent = Some(parent());
    all.push(traced);
    all
}

/// What the third version could say.
pub(super) fn third_deliveries() -> Vec<StoredDelivery> {
    let mut all = second_deliveries();
    let place = Place::Dead { since: at(9000), reason: "nobody took it".to_owned() };
    let dead = all[0].clone();
    let invocation = InvocationId::new(dead.delivery.invocation.get() + 100);
    all.push(StoredDelivery { delivery: Delivery { invocation, ..dead.delivery }, attempts: 20, place });
    all
}

pub(super) fn attempt_logs() -> Vec<AttemptLog> {
    let log = |attempt, instance, end, text: &'static str| AttemptLog {
        attempt,
        ended_at: at(3000),
        duration: Duration::from_micros(1_234_567),
        instance,
        end,
        log: LogText { text: Bytes::from_static(text.as_bytes()), dropped_bytes: text.len() as u64 },
    };
    vec![
        log(1, Some(instance()), AttemptEnd::Succeeded, "a line\n"),
        log(2, Some(instance()), AttemptEnd::Failed(FunctionError::Handled), "half a line"),
        log(3, Some(instance()), AttemptEnd::Failed(FunctionError::Unhandled), "\n"),
        log(4, Some(instance()), AttemptEnd::Failed(FunctionError::TimedOut), "line\nline\n"),
        log(5, Some(instance()), AttemptEnd::Failed(FunctionError::OutOfMemory), "a line\n"),
        log(6, Some(instance()), AttemptEnd::SystemError, "a line\n"),
        log(7, Some(instance()), AttemptEnd::Stopped, "a line\n"),
        log(8, Some(instance()), AttemptEnd::Interrupted, "a line\n"),
        log(300, None, AttemptEnd::Lost, ""),
    ]
}

/// What the second version could say.
pub(super) fn second_deliveries() -> Vec<StoredDelivery> {
    let invocations = second_invocations();
    let http = invocations.iter().find(|invocation| invocation.kind == CallKind::Http).cloned();
    [Slot::Success, Slot::Failure, Slot::Success]
        .into_iter()
        .zip(invocations.into_iter().take(2).chain(http))
        .map(|(slot, invocation)| StoredDelivery {
            delivery: Delivery {
                invocation: invocation.id,
                function: invocation.function,
                qualifier: invocation.qualifier,
                request_id: invocation.request_id,
                kind: invocation.kind,
                parent: None,
                accepted_at: invocation.accepted_at,
                slot,
                target: "acs:fc:::services/s/functions/good".to_owned(),
                outcome: Outcome::Succeeded,
                invoke_count: 2,
                hops: 1,
            },
            attempts: 4,
            place: Place::Outbox { due: at(7000) },
        })
        .collect()
}
