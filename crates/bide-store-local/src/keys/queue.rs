//! `queue`: what waits, per function in the order in which it is due.
//!
//! ```text
//! key    function (8), due (8, microseconds), id (8)
//! value  empty
//! ```
//!
//! Entries go as they are claimed and leave tombstones at the front: never scan this keyspace from the start of a
//! function while serving. `due_head` keeps the place from which to read on.

use bide_store::planner::QueuePosition;
use bide_types::{FunctionId, InvocationId, Timestamp};

use super::codec::{self, Undecodable};

pub(crate) fn key(function: FunctionId, (due, id): QueuePosition) -> [u8; 24] {
    codec::join([function.get(), due.as_micros(), id.get()])
}

pub(crate) fn parse_key(key: &[u8]) -> Result<(FunctionId, QueuePosition), Undecodable> {
    let [function, due, id] = codec::split(key)?;
    Ok((FunctionId::new(function), (Timestamp::from_micros(due), InvocationId::new(id))))
}

/// The greatest key of a function.
pub(crate) fn last_key(function: FunctionId) -> [u8; 24] {
    codec::join([function.get(), u64::MAX, u64::MAX])
}
