//! `invocations`: the hot record of each invocation, without payload and result.
//!
//! ```text
//! key    id (8)
//! value  version (3), InvocationV3 as postcard; or version (2), InvocationV2; or version (1), InvocationV1
//! ```

use bide_core::Invocation;
use bide_types::InvocationId;
use fjall::UserValue;

use super::codec::{self, Undecodable};
use super::mirror::invocation::{InvocationV1, InvocationV2, InvocationV3};

pub(crate) const VERSION: u8 = 3;
/// Without the trace of the caller.
const SECOND_VERSION: u8 = 2;
/// Without the kind of call.
const FIRST_VERSION: u8 = 1;

pub(crate) fn key(id: InvocationId) -> [u8; 8] {
    id.get().to_be_bytes()
}

pub(crate) fn parse_key(key: &[u8]) -> Result<InvocationId, Undecodable> {
    let [id] = codec::split(key)?;
    Ok(InvocationId::new(id))
}

pub(crate) fn encode(invocation: &Invocation) -> UserValue {
    codec::encode(VERSION, &InvocationV3::from(invocation))
}

pub(crate) fn decode(id: InvocationId, value: &[u8]) -> Result<Invocation, Undecodable> {
    if codec::has_version(FIRST_VERSION, value) {
        codec::decode::<InvocationV1<'_>>(FIRST_VERSION, value)?.into_domain(id)
    } else if codec::has_version(SECOND_VERSION, value) {
        codec::decode::<InvocationV2<'_>>(SECOND_VERSION, value)?.into_domain(id)
    } else {
        codec::decode::<InvocationV3<'_>>(VERSION, value)?.into_domain(id)
    }
}
