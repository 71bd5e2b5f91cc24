//! `task_ids`: from a caller's task id to the invocation; what makes a task id unique within its function.
//!
//! ```text
//! key    function (8), task id (1 to 128 bytes of ASCII)
//! value  version (1), id (8)
//! ```

use bide_types::{FunctionId, InvocationId, TaskId};
use fjall::{UserKey, UserValue};

use super::codec::{self, Undecodable};

pub(crate) const VERSION: u8 = 1;

pub(crate) fn key(function: FunctionId, task: &TaskId) -> UserKey {
    prefix(function, task.as_str())
}

/// What the keys of all task ids that begin with `start` have in common.
pub(crate) fn prefix(function: FunctionId, start: &str) -> UserKey {
    let mut key = Vec::with_capacity(8 + start.len());
    key.extend_from_slice(&function.get().to_be_bytes());
    key.extend_from_slice(start.as_bytes());
    UserKey::from(key)
}

pub(crate) fn parse_key(key: &[u8]) -> Result<(FunctionId, TaskId), Undecodable> {
    let (function, task) = key.split_at_checked(8).ok_or_else(|| Undecodable::new("its key is too short"))?;
    let [function] = codec::split(function)?;
    let task = str::from_utf8(task).map_err(|error| Undecodable::new(error.to_string()))?;
    let task = TaskId::new(task).map_err(|error| Undecodable::new(error.to_string()))?;
    Ok((FunctionId::new(function), task))
}

pub(crate) fn encode(id: InvocationId) -> UserValue {
    let mut value = [VERSION; 9];
    value[1..].copy_from_slice(&id.get().to_be_bytes());
    UserValue::from(value)
}

pub(crate) fn decode(value: &[u8]) -> Result<InvocationId, Undecodable> {
    let [id] = codec::split(codec::versioned(VERSION, value)?)?;
    Ok(InvocationId::new(id))
}
