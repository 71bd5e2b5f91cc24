//! `meta`: the few numbers that belong to the whole store.
//!
//! ```text
//! key    a name of the list below
//! value  version (1), number (8)
//! ```

use fjall::UserValue;

use super::codec::{self, Undecodable};

pub(crate) const VERSION: u8 = 1;

/// Version of the whole layout; see [`FORMAT`].
pub(crate) const FORMAT_KEY: &str = "format";
/// Starts so far; the lease holder of the present one.
pub(crate) const HOLDER_KEY: &str = "holder";
/// The greatest invocation id ever given.
pub(crate) const LAST_ID_KEY: &str = "last_id";
/// How far an id was ever ahead of [`bide_types::InvocationId::first_at`] its acceptance, when the clock stepped back.
pub(crate) const ID_LEAD_KEY: &str = "id_lead";

pub(crate) const KEYS: [&str; 4] = [FORMAT_KEY, HOLDER_KEY, LAST_ID_KEY, ID_LEAD_KEY];

/// The layout that this build writes; it reads all before it. 2: records say what kind of call they hold. 3: each
/// function and qualifier has a line of its own. 4: destination records that were given up are kept. 5: attempts of
/// tasks have logs.
pub(crate) const FORMAT: u64 = 5;

pub(crate) fn encode(number: u64) -> UserValue {
    let mut value = [VERSION; 9];
    value[1..].copy_from_slice(&number.to_be_bytes());
    UserValue::from(value)
}

pub(crate) fn decode(value: &[u8]) -> Result<u64, Undecodable> {
    let [number] = codec::split(codec::versioned(VERSION, value)?)?;
    Ok(number)
}
