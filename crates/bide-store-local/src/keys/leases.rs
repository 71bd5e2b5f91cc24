//! `leases`: the leases that are out, so that opening finds what a dead process held.
//!
//! ```text
//! key    id (8)
//! value  version (1), LeaseV1 as postcard
//! ```

use bide_core::{Epoch, LeaseHolder};
use bide_store::LeaseRef;
use bide_types::{InvocationId, Timestamp};
use fjall::UserValue;
use serde::{Deserialize, Serialize};

use super::codec::{self, Undecodable};

pub(crate) use super::invocations::{key, parse_key};

pub(crate) const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct LeaseV1 {
    epoch: u64,
    holder: u64,
    expires_at: u64,
}

pub(crate) fn encode(lease: &LeaseRef) -> UserValue {
    let mirror =
        LeaseV1 { epoch: lease.epoch.0, holder: lease.holder.0, expires_at: lease.expires_at.as_micros() };
    codec::encode(VERSION, &mirror)
}

pub(crate) fn decode(invocation: InvocationId, value: &[u8]) -> Result<LeaseRef, Undecodable> {
    let mirror: LeaseV1 = codec::decode(VERSION, value)?;
    Ok(LeaseRef {
        invocation,
        epoch: Epoch(mirror.epoch),
        holder: LeaseHolder(mirror.holder),
        expires_at: Timestamp::from_micros(mirror.expires_at),
    })
}
