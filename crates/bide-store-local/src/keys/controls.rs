//! `controls`: control objects by their path.
//!
//! ```text
//! key    path (UTF-8, segments joined by '/')
//! value  version (1), revision (8), the object's bytes
//! ```

use bide_store::{ControlKey, ControlObject};
use bytes::Bytes;
use fjall::UserValue;

use super::codec::{self, Undecodable};

pub(crate) const VERSION: u8 = 1;

pub(crate) fn key(key: &ControlKey) -> &[u8] {
    key.as_str().as_bytes()
}

pub(crate) fn parse_key(key: &[u8]) -> Result<ControlKey, Undecodable> {
    let text = str::from_utf8(key).map_err(|error| Undecodable::new(error.to_string()))?;
    Ok(ControlKey::from_stored(text))
}

pub(crate) fn encode(object: &ControlObject) -> UserValue {
    let mut value = Vec::with_capacity(9 + object.value.len());
    value.push(VERSION);
    value.extend_from_slice(&object.revision.to_be_bytes());
    value.extend_from_slice(&object.value);
    UserValue::from(value)
}

pub(crate) fn decode(value: &[u8]) -> Result<ControlObject, Undecodable> {
    let (revision, value) = codec::versioned(VERSION, value)?
        .split_at_checked(8)
        .ok_or_else(|| Undecodable::new("its value is too short"))?;
    let [revision] = codec::split(revision)?;
    Ok(ControlObject { revision, value: Bytes::copy_from_slice(value) })
}
