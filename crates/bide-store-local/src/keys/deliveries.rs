//! `deliveries`: destination records that wait to be delivered or were given up, by the invocation that settled.
//!
//! ```text
//! key    id (8)
//! value  version (4), DeliveryV4 as postcard; or versions (3) to (1), DeliveryV3 to DeliveryV1
//! ```

use bide_core::Delivery;
use bide_store::planner::QueuePosition;
use bide_types::{InvocationId, Timestamp};
use fjall::UserValue;

use super::Space;
use super::codec::{self, Undecodable};
use super::mirror::delivery::{DeliveryV1, DeliveryV2, DeliveryV3, DeliveryV4};

pub(crate) use super::invocations::{key, parse_key};

pub(crate) const VERSION: u8 = 4;
/// Without the trace of the caller.
const THIRD_VERSION: u8 = 3;
/// Without what was given up.
const SECOND_VERSION: u8 = 2;
/// Without the kind of call.
const FIRST_VERSION: u8 = 1;

/// A destination record and how far its delivery has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredDelivery {
    pub(crate) delivery: Delivery,
    pub(crate) attempts: u32,
    pub(crate) place: Place,
}

/// Where a destination record is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Outbox { due: Timestamp },
    Dead { since: Timestamp, reason: String },
}

impl Place {
    /// When it is due, or since when it is dead.
    pub(crate) fn at(&self) -> Timestamp {
        match self {
            Self::Outbox { due } => *due,
            Self::Dead { since, .. } => *since,
        }
    }

    /// The keyspace that has its position.
    pub(crate) fn space(&self) -> Space {
        match self {
            Self::Outbox { .. } => Space::Outbox,
            Self::Dead { .. } => Space::DeadLetters,
        }
    }
}

impl StoredDelivery {
    /// Its place in the order of its keyspace.
    pub(crate) fn position(&self) -> QueuePosition {
        (self.place.at(), self.delivery.invocation)
    }
}

pub(crate) fn encode(stored: &StoredDelivery) -> UserValue {
    codec::encode(VERSION, &DeliveryV4::from(stored))
}

pub(crate) fn decode(id: InvocationId, value: &[u8]) -> Result<StoredDelivery, Undecodable> {
    if codec::has_version(FIRST_VERSION, value) {
        codec::decode::<DeliveryV1<'_>>(FIRST_VERSION, value)?.into_domain(id)
    } else if codec::has_version(SECOND_VERSION, value) {
        codec::decode::<DeliveryV2<'_>>(SECOND_VERSION, value)?.into_domain(id)
    } else if codec::has_version(THIRD_VERSION, value) {
        codec::decode::<DeliveryV3<'_>>(THIRD_VERSION, value)?.into_domain(id)
    } else {
        codec::decode::<DeliveryV4<'_>>(VERSION, value)?.into_domain(id)
    }
}
