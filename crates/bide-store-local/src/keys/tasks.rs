//! `tasks`: the tasks of each function in the order of their ids, which is the order of acceptance.
//!
//! ```text
//! key    function (8), id (8)
//! value  empty
//! ```

use bide_types::{FunctionId, InvocationId};

use super::codec::{self, Undecodable};

pub(crate) fn key(function: FunctionId, id: InvocationId) -> [u8; 16] {
    codec::join([function.get(), id.get()])
}

pub(crate) fn parse_key(key: &[u8]) -> Result<(FunctionId, InvocationId), Undecodable> {
    let [function, id] = codec::split(key)?;
    Ok((FunctionId::new(function), InvocationId::new(id)))
}
