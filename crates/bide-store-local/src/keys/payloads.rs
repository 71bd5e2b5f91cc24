//! `payloads`: the event of each invocation, apart from its record, so that a change of state does not copy it.
//!
//! ```text
//! key    id (8)
//! value  version (1), the event as it came
//! ```

use bytes::Bytes;
use fjall::UserValue;

use super::codec::{self, Undecodable};

pub(crate) use super::invocations::{key, parse_key};

pub(crate) const VERSION: u8 = 1;

pub(crate) fn encode(body: &[u8]) -> UserValue {
    let mut value = Vec::with_capacity(body.len() + 1);
    value.push(VERSION);
    value.extend_from_slice(body);
    UserValue::from(value)
}

pub(crate) fn decode(value: &[u8]) -> Result<Bytes, Undecodable> {
    Ok(Bytes::copy_from_slice(codec::versioned(VERSION, value)?))
}
