//! `task_status`: the tasks of each function by status, each in the order of ids.
//!
//! ```text
//! key    function (8), status (1, see `mirror::numbers`), id (8)
//! value  empty
//! ```

use bide_core::Status;
use bide_types::{FunctionId, InvocationId};

use super::codec::{self, Undecodable};
use super::mirror::numbers;

pub(crate) fn key(function: FunctionId, status: Status, id: InvocationId) -> [u8; 17] {
    let mut key = [0; 17];
    key[..8].copy_from_slice(&function.get().to_be_bytes());
    key[8] = numbers::status(status);
    key[9..].copy_from_slice(&id.get().to_be_bytes());
    key
}

pub(crate) fn parse_key(key: &[u8]) -> Result<(FunctionId, Status, InvocationId), Undecodable> {
    if key.len() != 17 {
        return Err(Undecodable::new(format!("its key has {} bytes instead of 17", key.len())));
    }
    let [function] = codec::split(&key[..8])?;
    let [id] = codec::split(&key[9..])?;
    Ok((FunctionId::new(function), numbers::to_status(key[8])?, InvocationId::new(id)))
}
