//! The stored form of a destination record.

use bide_core::{CallKind, Delivery};
use bide_types::{FunctionId, InvocationId, Timestamp, TraceParent};
use serde::{Deserialize, Serialize};

use super::invocation::TraceParentV1;
use super::numbers;
use super::outcome::OutcomeV1;
use crate::keys::codec::Undecodable;
use crate::keys::deliveries::{Place, StoredDelivery};

#[derive(Serialize, Deserialize)]
pub(crate) struct DeliveryV1<'a> {
    attempts: u32,
    due: u64,
    function: u64,
    #[serde(borrow)]
    qualifier: &'a str,
    request_id: &'a str,
    accepted_at: u64,
    slot: u8,
    target: &'a str,
    outcome: OutcomeV1<'a>,
    invoke_count: u32,
    hops: u8,
}

/// Version 1 knew events only.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeliveryV2<'a> {
    #[serde(borrow)]
    first: DeliveryV1<'a>,
    kind: u8,
}

/// Version 2 knew the outbox only. Here the time of the first version is since when a record is dead, if it is.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeliveryV3<'a> {
    #[serde(borrow)]
    second: DeliveryV2<'a>,
    /// Why it was given up.
    dead: Option<&'a str>,
}

/// Version 3 knew no caller's trace.
#[derive(Serialize, Deserialize)]
pub(crate) struct DeliveryV4<'a> {
    #[serde(borrow)]
    third: DeliveryV3<'a>,
    parent: Option<TraceParentV1>,
}

impl<'a> From<&'a StoredDelivery> for DeliveryV4<'a> {
    fn from(stored: &'a StoredDelivery) -> Self {
        Self { third: DeliveryV3::from(stored), parent: stored.delivery.parent.map(TraceParentV1::from) }
    }
}

impl DeliveryV4<'_> {
    pub(crate) fn into_domain(self, id: InvocationId) -> Result<StoredDelivery, Undecodable> {
        let mut stored = self.third.into_domain(id)?;
        stored.delivery.parent = self.parent.map(TraceParent::from);
        Ok(stored)
    }
}

impl<'a> From<&'a StoredDelivery> for DeliveryV3<'a> {
    fn from(stored: &'a StoredDelivery) -> Self {
        let dead = match &stored.place {
            Place::Outbox { .. } => None,
            Place::Dead { reason, .. } => Some(reason.as_str()),
        };
        Self { second: DeliveryV2::from(stored), dead }
    }
}

impl DeliveryV3<'_> {
    pub(crate) fn into_domain(self, id: InvocationId) -> Result<StoredDelivery, Undecodable> {
        let mut stored = self.second.into_domain(id)?;
        if let Some(reason) = self.dead {
            stored.place = Place::Dead { since: stored.place.at(), reason: reason.to_owned() };
        }
        Ok(stored)
    }
}

impl<'a> From<&'a StoredDelivery> for DeliveryV2<'a> {
    fn from(stored: &'a StoredDelivery) -> Self {
        Self { first: DeliveryV1::from(stored), kind: numbers::kind(stored.delivery.kind) }
    }
}

impl DeliveryV2<'_> {
    pub(crate) fn into_domain(self, id: InvocationId) -> Result<StoredDelivery, Undecodable> {
        let mut stored = self.first.into_domain(id)?;
        stored.delivery.kind = numbers::to_kind(self.kind)?;
        Ok(stored)
    }
}

impl<'a> From<&'a StoredDelivery> for DeliveryV1<'a> {
    fn from(stored: &'a StoredDelivery) -> Self {
        let delivery = &stored.delivery;
        Self {
            attempts: stored.attempts,
            due: stored.place.at().as_micros(),
            function: delivery.function.get(),
            qualifier: delivery.qualifier.as_str(),
            request_id: delivery.request_id.as_str(),
            accepted_at: delivery.accepted_at.as_micros(),
            slot: numbers::slot(delivery.slot),
            target: &delivery.target,
            outcome: OutcomeV1::from(&delivery.outcome),
            invoke_count: delivery.invoke_count,
            hops: delivery.hops,
        }
    }
}

impl DeliveryV1<'_> {
    pub(crate) fn into_domain(self, id: InvocationId) -> Result<StoredDelivery, Undecodable> {
        let delivery = Delivery {
            invocation: id,
            function: FunctionId::new(self.function),
            qualifier: super::invocation::text(self.qualifier)?,
            request_id: super::invocation::text(self.request_id)?,
            kind: CallKind::Event,
            parent: None,
            accepted_at: Timestamp::from_micros(self.accepted_at),
            slot: numbers::to_slot(self.slot)?,
            target: self.target.to_owned(),
            outcome: self.outcome.into_domain()?,
            invoke_count: self.invoke_count,
            hops: self.hops,
        };
        let place = Place::Outbox { due: Timestamp::from_micros(self.due) };
        Ok(StoredDelivery { delivery, attempts: self.attempts, place })
    }
}
