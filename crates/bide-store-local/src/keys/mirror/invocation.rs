//! The stored form of an invocation.

use std::str::FromStr;
use std::time::Duration;

use bide_core::{
    CallKind, Epoch, Event, Invocation, Lease, LeaseHolder, Mode, Policy, Refusals, Settlement, State,
};
use bide_types::{FunctionId, InvocationId, NameError, Timestamp, TraceParent};
use serde::{Deserialize, Serialize};

use super::numbers;
use super::outcome::OutcomeV1;
use crate::keys::codec::Undecodable;

#[derive(Serialize, Deserialize)]
pub(crate) struct InvocationV1<'a> {
    function: u64,
    #[serde(borrow)]
    qualifier: &'a str,
    request_id: &'a str,
    mode: ModeV1<'a>,
    accepted_at: u64,
    not_before: u64,
    hops: u8,
    epoch: u64,
    runs: u32,
    retries: u32,
    refusals: Option<RefusalsV1>,
    policy: Option<PolicyV1<'a>>,
    state: StateV1<'a>,
    destination: u8,
}

/// Version 1 knew events only.
#[derive(Serialize, Deserialize)]
pub(crate) struct InvocationV2<'a> {
    #[serde(borrow)]
    first: InvocationV1<'a>,
    kind: u8,
}

/// Version 2 knew no caller's trace.
#[derive(Serialize, Deserialize)]
pub(crate) struct InvocationV3<'a> {
    #[serde(borrow)]
    second: InvocationV2<'a>,
    parent: Option<TraceParentV1>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TraceParentV1 {
    trace: [u8; 16],
    span: [u8; 8],
    sampled: bool,
}

#[derive(Serialize, Deserialize)]
enum ModeV1<'a> {
    Plain,
    Task {
        #[serde(borrow)]
        id: &'a str,
        timeline: Vec<EventV1<'a>>,
    },
}

#[derive(Serialize, Deserialize)]
struct EventV1<'a> {
    status: u8,
    at: u64,
    #[serde(borrow)]
    detail: &'a str,
}

#[derive(Serialize, Deserialize)]
struct RefusalsV1 {
    since: u64,
    count: u32,
}

#[derive(Serialize, Deserialize)]
struct PolicyV1<'a> {
    retries_max: u32,
    age_max: DurationV1,
    #[serde(borrow)]
    on_success: Option<&'a str>,
    on_failure: Option<&'a str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct DurationV1 {
    seconds: u64,
    nanos: u32,
}

#[derive(Serialize, Deserialize)]
struct LeaseV1 {
    epoch: u64,
    holder: u64,
    expires_at: u64,
}

#[derive(Serialize, Deserialize)]
enum StateV1<'a> {
    Enqueued,
    Dequeued {
        lease: LeaseV1,
    },
    Backoff {
        due: u64,
    },
    Running {
        lease: LeaseV1,
        #[serde(borrow)]
        instance: &'a str,
        since: u64,
    },
    Retrying {
        due: u64,
    },
    Stopping {
        lease: LeaseV1,
        #[serde(borrow)]
        instance: Option<&'a str>,
        since: u64,
    },
    Settled(#[serde(borrow)] SettlementV1<'a>),
}

#[derive(Serialize, Deserialize)]
struct SettlementV1<'a> {
    #[serde(borrow)]
    outcome: OutcomeV1<'a>,
    at: u64,
    duration: DurationV1,
    instance: Option<&'a str>,
}

/// Reads a validated text; what fails its own rule was not written by us.
pub(super) fn text<T: FromStr<Err = NameError>>(text: &str) -> Result<T, Undecodable> {
    text.parse().map_err(|error: NameError| Undecodable::new(error.to_string()))
}

fn optional<T: FromStr<Err = NameError>>(value: Option<&str>) -> Result<Option<T>, Undecodable> {
    value.map(text).transpose()
}

impl<'a> From<&'a Invocation> for InvocationV1<'a> {
    fn from(invocation: &'a Invocation) -> Self {
        Self {
            function: invocation.function.get(),
            qualifier: invocation.qualifier.as_str(),
            request_id: invocation.request_id.as_str(),
            mode: ModeV1::from(&invocation.mode),
            accepted_at: invocation.accepted_at.as_micros(),
            not_before: invocation.not_before.as_micros(),
            hops: invocation.hops,
            epoch: invocation.epoch.0,
            runs: invocation.runs,
            retries: invocation.retries,
            refusals: invocation
                .refusals
                .map(|refusals| RefusalsV1 { since: refusals.since.as_micros(), count: refusals.count }),
            policy: invocation.policy.as_ref().map(PolicyV1::from),
            state: StateV1::from(&invocation.state),
            destination: numbers::destination(invocation.destination),
        }
    }
}

impl InvocationV1<'_> {
    pub(crate) fn into_domain(self, id: InvocationId) -> Result<Invocation, Undecodable> {
        Ok(Invocation {
            id,
            function: FunctionId::new(self.function),
            qualifier: text(self.qualifier)?,
            request_id: text(self.request_id)?,
            kind: CallKind::Event,
            parent: None,
            mode: self.mode.into_domain()?,
            accepted_at: Timestamp::from_micros(self.accepted_at),
            not_before: Timestamp::from_micros(self.not_before),
            hops: self.hops,
            epoch: Epoch(self.epoch),
            runs: self.runs,
            retries: self.retries,
            refusals: self.refusals.map(|refusals| Refusals {
                since: Timestamp::from_micros(refusals.since),
                count: refusals.count,
            }),
            policy: self.policy.map(PolicyV1::into_domain),
            state: self.state.into_domain()?,
            destination: numbers::to_destination(self.destination)?,
        })
    }
}

impl<'a> From<&'a Invocation> for InvocationV2<'a> {
    fn from(invocation: &'a Invocation) -> Self {
        Self { first: InvocationV1::from(invocation), kind: numbers::kind(invocation.kind) }
    }
}

impl InvocationV2<'_> {
    pub(crate) fn into_domain(self, id: InvocationId) -> Result<Invocation, Undecodable> {
        let kind = numbers::to_kind(self.kind)?;
        Ok(Invocation { kind, ..self.first.into_domain(id)? })
    }
}

impl<'a> From<&'a Invocation> for InvocationV3<'a> {
    fn from(invocation: &'a Invocation) -> Self {
        Self { second: InvocationV2::from(invocation), parent: invocation.parent.map(TraceParentV1::from) }
    }
}

impl InvocationV3<'_> {
    pub(crate) fn into_domain(self, id: InvocationId) -> Result<Invocation, Undecodable> {
        let parent = self.parent.map(TraceParent::from);
        Ok(Invocation { parent, ..self.second.into_domain(id)? })
    }
}

impl From<TraceParent> for TraceParentV1 {
    fn from(TraceParent { trace, span, sampled }: TraceParent) -> Self {
        Self { trace, span, sampled }
    }
}

impl From<TraceParentV1> for TraceParent {
    fn from(TraceParentV1 { trace, span, sampled }: TraceParentV1) -> Self {
        Self { trace, span, sampled }
    }
}

impl<'a> From<&'a Mode> for ModeV1<'a> {
    fn from(mode: &'a Mode) -> Self {
        match mode {
            Mode::Plain => Self::Plain,
            Mode::Task { id, timeline } => Self::Task {
                id: id.as_str(),
                timeline: timeline
                    .iter()
                    .map(|event| EventV1 {
                        status: numbers::status(event.status),
                        at: event.at.as_micros(),
                        detail: &event.detail,
                    })
                    .collect(),
            },
        }
    }
}

impl ModeV1<'_> {
    fn into_domain(self) -> Result<Mode, Undecodable> {
        Ok(match self {
            Self::Plain => Mode::Plain,
            Self::Task { id, timeline } => Mode::Task {
                id: text(id)?,
                timeline: timeline.into_iter().map(EventV1::into_domain).collect::<Result<_, _>>()?,
            },
        })
    }
}

impl EventV1<'_> {
    fn into_domain(self) -> Result<Event, Undecodable> {
        Ok(Event {
            status: numbers::to_status(self.status)?,
            at: Timestamp::from_micros(self.at),
            detail: self.detail.to_owned(),
        })
    }
}

impl<'a> From<&'a Policy> for PolicyV1<'a> {
    fn from(policy: &'a Policy) -> Self {
        Self {
            retries_max: policy.retries_max,
            age_max: DurationV1::from(policy.age_max),
            on_success: policy.on_success.as_deref(),
            on_failure: policy.on_failure.as_deref(),
        }
    }
}

impl PolicyV1<'_> {
    fn into_domain(self) -> Policy {
        Policy {
            retries_max: self.retries_max,
            age_max: self.age_max.into_domain(),
            on_success: self.on_success.map(str::to_owned),
            on_failure: self.on_failure.map(str::to_owned),
        }
    }
}

impl From<Duration> for DurationV1 {
    fn from(duration: Duration) -> Self {
        Self { seconds: duration.as_secs(), nanos: duration.subsec_nanos() }
    }
}

impl DurationV1 {
    pub(super) fn into_domain(self) -> Duration {
        // Whole seconds of nanoseconds can only come from damage; they must not overflow.
        Duration::from_secs(self.seconds).saturating_add(Duration::from_nanos(u64::from(self.nanos)))
    }
}

impl From<&Lease> for LeaseV1 {
    fn from(lease: &Lease) -> Self {
        Self { epoch: lease.epoch.0, holder: lease.holder.0, expires_at: lease.expires_at.as_micros() }
    }
}

impl LeaseV1 {
    fn into_domain(self) -> Lease {
        Lease {
            epoch: Epoch(self.epoch),
            holder: LeaseHolder(self.holder),
            expires_at: Timestamp::from_micros(self.expires_at),
        }
    }
}

impl<'a> From<&'a State> for StateV1<'a> {
    fn from(state: &'a State) -> Self {
        match state {
            State::Enqueued => Self::Enqueued,
            State::Dequeued { lease } => Self::Dequeued { lease: lease.into() },
            State::Backoff { due } => Self::Backoff { due: due.as_micros() },
            State::Running { lease, instance, since } => {
                Self::Running { lease: lease.into(), instance: instance.as_str(), since: since.as_micros() }
            }
            State::Retrying { due } => Self::Retrying { due: due.as_micros() },
            State::Stopping { lease, instance, since } => Self::Stopping {
                lease: lease.into(),
                instance: instance.as_ref().map(|instance| instance.as_str()),
                since: since.as_micros(),
            },
            State::Settled(settlement) => Self::Settled(SettlementV1 {
                outcome: (&settlement.outcome).into(),
                at: settlement.at.as_micros(),
                duration: settlement.duration.into(),
                instance: settlement.instance.as_ref().map(|instance| instance.as_str()),
            }),
        }
    }
}

impl StateV1<'_> {
    fn into_domain(self) -> Result<State, Undecodable> {
        Ok(match self {
            Self::Enqueued => State::Enqueued,
            Self::Dequeued { lease } => State::Dequeued { lease: lease.into_domain() },
            Self::Backoff { due } => State::Backoff { due: Timestamp::from_micros(due) },
            Self::Running { lease, instance, since } => State::Running {
                lease: lease.into_domain(),
                instance: text(instance)?,
                since: Timestamp::from_micros(since),
            },
            Self::Retrying { due } => State::Retrying { due: Timestamp::from_micros(due) },
            Self::Stopping { lease, instance, since } => State::Stopping {
                lease: lease.into_domain(),
                instance: optional(instance)?,
                since: Timestamp::from_micros(since),
            },
            Self::Settled(settlement) => State::Settled(Settlement {
                outcome: settlement.outcome.into_domain()?,
                at: Timestamp::from_micros(settlement.at),
                duration: settlement.duration.into_domain(),
                instance: optional(settlement.instance)?,
            }),
        })
    }
}
