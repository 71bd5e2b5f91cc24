//! Arbitrary values of what is stored.

use std::time::Duration;

use bide_core::{
    CallKind, Delivery, DestinationStatus, Epoch, Event, Failure, FunctionError, Invocation, Lease,
    LeaseHolder, Mode, Outcome, Policy, Refusals, Settlement, Slot, State, Status,
};
use bide_store::planner::QueuePosition;
use bide_store::{AttemptEnd, AttemptLog, ControlKey, ControlObject, LeaseRef, LogText};
use bide_types::{
    FunctionId, InstanceId, InvocationId, Line, Qualifier, RequestId, TaskId, Timestamp, TraceParent,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::keys::deliveries::{Place, StoredDelivery};

pub(super) fn moment() -> impl Strategy<Value = Timestamp> {
    any::<u64>().prop_map(Timestamp::from_micros)
}

pub(super) fn position() -> impl Strategy<Value = QueuePosition> {
    (0_u64..6, 0_u64..6).prop_map(|(at, id)| (Timestamp::from_micros(at), InvocationId::new(id)))
}

pub(super) fn status() -> impl Strategy<Value = Status> {
    prop::sample::select(Status::ALL.to_vec())
}

pub(super) fn task_id() -> impl Strategy<Value = TaskId> {
    "[A-Za-z_][A-Za-z0-9_-]{0,127}".prop_map(|text| TaskId::new(&text).expect("a valid id"))
}

fn instance() -> impl Strategy<Value = InstanceId> {
    "c-[0-9a-f]{8}".prop_map(|text| InstanceId::new(&text).expect("a valid id"))
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u32>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds.into(), nanos))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let failures = [
        Failure::Function(FunctionError::Handled),
        Failure::Function(FunctionError::Unhandled),
        Failure::Function(FunctionError::TimedOut),
        Failure::Function(FunctionError::OutOfMemory),
        Failure::Throttled,
        Failure::System,
    ];
    prop_oneof![
        Just(Outcome::Succeeded),
        Just(Outcome::Stopped),
        Just(Outcome::Expired),
        prop::sample::select(failures.to_vec()).prop_map(|failure| Outcome::Failed { failure }),
        ".{0,40}".prop_map(|reason| Outcome::Invalid { reason }),
    ]
}

fn lease_of_state() -> impl Strategy<Value = Lease> {
    (any::<u64>(), any::<u64>(), moment()).prop_map(|(epoch, holder, expires_at)| Lease {
        epoch: Epoch(epoch),
        holder: LeaseHolder(holder),
        expires_at,
    })
}

pub(super) fn lease() -> impl Strategy<Value = LeaseRef> {
    (any::<u64>(), lease_of_state()).prop_map(|(id, lease)| LeaseRef {
        invocation: InvocationId::new(id),
        epoch: lease.epoch,
        holder: lease.holder,
        expires_at: lease.expires_at,
    })
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Enqueued),
        lease_of_state().prop_map(|lease| State::Dequeued { lease }),
        moment().prop_map(|due| State::Backoff { due }),
        (lease_of_state(), instance(), moment()).prop_map(|(lease, instance, since)| State::Running {
            lease,
            instance,
            since
        }),
        moment().prop_map(|due| State::Retrying { due }),
        (lease_of_state(), prop::option::of(instance()), moment())
            .prop_map(|(lease, instance, since)| State::Stopping { lease, instance, since }),
        (outcome(), moment(), duration(), prop::option::of(instance())).prop_map(
            |(outcome, at, duration, instance)| {
                State::Settled(Settlement { outcome, at, duration, instance })
            }
        ),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    (status(), moment(), ".{0,20}").prop_map(|(status, at, detail)| Event { status, at, detail })
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![
        Just(Mode::Plain),
        (task_id(), prop::collection::vec(event(), 0..8))
            .prop_map(|(id, timeline)| Mode::Task { id, timeline }),
    ]
}

fn policy() -> impl Strategy<Value = Policy> {
    let target = || prop::option::of("acs:fc:[a-z]{0,20}");
    (any::<u32>(), duration(), target(), target()).prop_map(
        |(retries_max, age_max, on_success, on_failure)| Policy {
            retries_max,
            age_max,
            on_success,
            on_failure,
        },
    )
}

pub(super) fn line() -> impl Strategy<Value = Line> {
    (1_u64..4, qualifier()).prop_map(|(function, qualifier)| Line::new(FunctionId::new(function), qualifier))
}

fn qualifier() -> impl Strategy<Value = Qualifier> {
    prop_oneof![Just("LATEST".to_owned()), "[0-9]{1,19}", "[a-z]{1,10}"]
        .prop_map(|text| Qualifier::new(&text).expect("a valid qualifier"))
}

fn request_id() -> impl Strategy<Value = RequestId> {
    "[0-9a-f]{1,36}".prop_map(|text| RequestId::new(&text).expect("a valid id"))
}

fn kind() -> impl Strategy<Value = CallKind> {
    prop::sample::select(vec![CallKind::Event, CallKind::Http])
}

fn parent() -> impl Strategy<Value = Option<TraceParent>> {
    prop::option::of(
        (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<bool>()).prop_map(|(trace, span, sampled)| TraceParent {
            trace,
            span,
            sampled,
        }),
    )
}

pub(super) fn invocation() -> impl Strategy<Value = Invocation> {
    let destination = prop::sample::select(vec![
        DestinationStatus::None,
        DestinationStatus::Pending,
        DestinationStatus::Delivered,
        DestinationStatus::Failed,
        DestinationStatus::DeadLettered,
    ]);
    let refusals =
        prop::option::of((moment(), any::<u32>()).prop_map(|(since, count)| Refusals { since, count }));
    let identity = (any::<u64>(), any::<u64>(), qualifier(), request_id(), mode(), kind(), parent());
    let times = (moment(), moment());
    let counts = (any::<u8>(), any::<u64>(), any::<u32>(), any::<u32>());
    let rest = (refusals, prop::option::of(policy()), state(), destination);
    (identity, times, counts, rest).prop_map(|(identity, times, counts, rest)| Invocation {
        id: InvocationId::new(identity.0),
        function: FunctionId::new(identity.1),
        qualifier: identity.2,
        request_id: identity.3,
        kind: identity.5,
        parent: identity.6,
        mode: identity.4,
        accepted_at: times.0,
        not_before: times.1,
        hops: counts.0,
        epoch: Epoch(counts.1),
        runs: counts.2,
        retries: counts.3,
        refusals: rest.0,
        policy: rest.1,
        state: rest.2,
        destination: rest.3,
    })
}

pub(super) fn delivery() -> impl Strategy<Value = StoredDelivery> {
    let slot = prop::sample::select(vec![Slot::Success, Slot::Failure]);
    let identity = (any::<u64>(), any::<u64>(), qualifier(), request_id(), kind(), parent());
    let rest = (moment(), slot, ".{0,30}", outcome(), any::<u32>(), any::<u8>());
    let place = prop_oneof![
        moment().prop_map(|due| Place::Outbox { due }),
        (moment(), ".{0,30}").prop_map(|(since, reason)| Place::Dead { since, reason }),
    ];
    (identity, rest, any::<u32>(), place).prop_map(|(identity, rest, attempts, place)| StoredDelivery {
        delivery: Delivery {
            invocation: InvocationId::new(identity.0),
            function: FunctionId::new(identity.1),
            qualifier: identity.2,
            request_id: identity.3,
            kind: identity.4,
            parent: identity.5,
            accepted_at: rest.0,
            slot: rest.1,
            target: rest.2,
            outcome: rest.3,
            invoke_count: rest.4,
            hops: rest.5,
        },
        attempts,
        place,
    })
}

pub(super) fn object() -> impl Strategy<Value = (ControlKey, ControlObject)> {
    let value = prop::collection::vec(any::<u8>(), 0..100);
    ("[a-z]{1,8}", "[a-zA-Z0-9_]{1,20}", any::<u64>(), value).prop_map(|(kind, name, revision, value)| {
        (ControlKey::new(&[&kind, &name]), ControlObject { revision, value: Bytes::from(value) })
    })
}

fn attempt_end() -> impl Strategy<Value = AttemptEnd> {
    prop::sample::select(vec![
        AttemptEnd::Succeeded,
        AttemptEnd::Failed(FunctionError::Handled),
        AttemptEnd::Failed(FunctionError::Unhandled),
        AttemptEnd::Failed(FunctionError::TimedOut),
        AttemptEnd::Failed(FunctionError::OutOfMemory),
        AttemptEnd::SystemError,
        AttemptEnd::Stopped,
        AttemptEnd::Interrupted,
        AttemptEnd::Lost,
    ])
}

pub(super) fn attempt_log() -> impl Strategy<Value = AttemptLog> {
    let text = prop::collection::vec(any::<u8>(), 0..3000);
    let log = (text, any::<u64>())
        .prop_map(|(text, dropped_bytes)| LogText { text: Bytes::from(text), dropped_bytes });
    (1_u32.., moment(), duration(), prop::option::of(instance()), attempt_end(), log).prop_map(
        |(attempt, ended_at, duration, instance, end, log)| AttemptLog {
            attempt,
            ended_at,
            duration,
            instance,
            end,
            log,
        },
    )
}
