//! `deliveries`: destination records that wait to be delivered, by the invocation that settled.
//!
//! ```text
//! key    id (8)
//! value  version (2), DeliveryV2 as postcard; or version (1), DeliveryV1
//! ```

use bide_core::Delivery;
use bide_types::{InvocationId, Timestamp};
use fjall::UserValue;

use super::codec::{self, Undecodable};
use super::mirror::delivery::{DeliveryV1, DeliveryV2};

pub(crate) use super::invocations::{key, parse_key};

pub(crate) const VERSION: u8 = 2;
/// Without the kind of call.
const FIRST_VERSION: u8 = 1;

/// A destination record and how far its delivery has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StoredDelivery {
    pub(crate) delivery: Delivery,
    pub(crate) attempts: u32,
    pub(crate) due: Timestamp,
}

pub(crate) fn encode(stored: &StoredDelivery) -> UserValue {
    codec::encode(VERSION, &DeliveryV2::from(stored))
}

pub(crate) fn decode(id: InvocationId, value: &[u8]) -> Result<StoredDelivery, Undecodable> {
    if codec::has_version(FIRST_VERSION, value) {
        codec::decode::<DeliveryV1<'_>>(FIRST_VERSION, value)?.into_domain(id)
    } else {
        codec::decode::<DeliveryV2<'_>>(VERSION, value)?.into_domain(id)
    }
}
