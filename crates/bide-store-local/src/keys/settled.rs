//! `settled`: the settled tasks that the retention may remove, the longest settled first.
//!
//! A task whose destination record is still to be delivered is not in it.
//!
//! ```text
//! key    time of settlement (8, microseconds), id (8)
//! value  empty
//! ```

use bide_store::planner::QueuePosition;
use bide_types::{InvocationId, Timestamp};

use super::codec::{self, Undecodable};

pub(crate) fn key((at, id): QueuePosition) -> [u8; 16] {
    codec::join([at.as_micros(), id.get()])
}

pub(crate) fn parse_key(key: &[u8]) -> Result<QueuePosition, Undecodable> {
    let [at, id] = codec::split(key)?;
    Ok((Timestamp::from_micros(at), InvocationId::new(id)))
}
