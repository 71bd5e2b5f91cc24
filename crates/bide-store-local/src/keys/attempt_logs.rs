//! `attempt_logs`: what an attempt of a task logged, kept while the task is.
//!
//! ```text
//! key    id (8), slot (8)
//! value  version (1), AttemptLogV1 as postcard, the text as it came
//! ```
//!
//! The slot follows from the number of the attempt (`bide_store::attempt_log`).

use bide_store::AttemptLog;
use bide_types::InvocationId;
use bytes::Bytes;
use fjall::UserValue;

use super::codec::{self, Undecodable};
use super::mirror::attempt_log::AttemptLogV1;

pub(crate) const VERSION: u8 = 1;

pub(crate) fn key(id: InvocationId, slot: u32) -> [u8; 16] {
    codec::join([id.get(), slot.into()])
}

pub(crate) fn parse_key(key: &[u8]) -> Result<(InvocationId, u32), Undecodable> {
    let [id, slot] = codec::split(key)?;
    let slot = u32::try_from(slot).map_err(|_| Undecodable::new(format!("{slot} is no slot")))?;
    Ok((InvocationId::new(id), slot))
}

pub(crate) fn encode(log: &AttemptLog) -> UserValue {
    let mut value = postcard::to_extend(&AttemptLogV1::from(log), vec![VERSION])
        .expect("a mirror struct has no part that cannot be encoded");
    value.extend_from_slice(&log.log.text);
    UserValue::from(value)
}

pub(crate) fn decode(value: &[u8]) -> Result<AttemptLog, Undecodable> {
    let (log, text) = postcard::take_from_bytes::<AttemptLogV1<'_>>(codec::versioned(VERSION, value)?)
        .map_err(|error| Undecodable::new(format!("its value cannot be decoded ({error})")))?;
    log.into_domain(Bytes::copy_from_slice(text))
}
