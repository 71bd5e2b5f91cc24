//! `invocations`: the hot record of each invocation, without payload and result.
//!
//! ```text
//! key    id (8)
//! value  version (1), InvocationV1 as postcard
//! ```

use bide_core::Invocation;
use bide_types::InvocationId;
use fjall::UserValue;

use super::codec::{self, Undecodable};
use super::mirror::invocation::InvocationV1;

pub(crate) const VERSION: u8 = 1;

pub(crate) fn key(id: InvocationId) -> [u8; 8] {
    id.get().to_be_bytes()
}

pub(crate) fn parse_key(key: &[u8]) -> Result<InvocationId, Undecodable> {
    let [id] = codec::split(key)?;
    Ok(InvocationId::new(id))
}

pub(crate) fn encode(invocation: &Invocation) -> UserValue {
    codec::encode(VERSION, &InvocationV1::from(invocation))
}

pub(crate) fn decode(id: InvocationId, value: &[u8]) -> Result<Invocation, Undecodable> {
    codec::decode::<InvocationV1<'_>>(VERSION, value)?.into_domain(id)
}
