//! `queue`: what waits, per line (function and qualifier) in the order in which it is due.
//!
//! ```text
//! key    of LATEST: function (8), due (8, microseconds), id (8)
//!        otherwise: 2^63 + function (8), length (1), qualifier (1 to 128), due (8, microseconds), id (8)
//! value  empty
//! ```
//!
//! Entries go as they are claimed and leave tombstones at the front: never scan this keyspace from the start of a
//! line while serving. `due_head` keeps the place from which to read on.

use bide_store::planner::QueuePosition;
use bide_types::{FunctionId, InvocationId, Line, Qualifier, Timestamp};
use fjall::UserKey;

use super::codec::{self, Undecodable};

/// Tells a line with a qualifier in its key from one of `LATEST`. Functions are counted from 1 on.
const QUALIFIED: u64 = 1 << 63;

pub(crate) fn key(line: &Line, (due, id): QueuePosition) -> UserKey {
    at(line, due.as_micros(), id.get())
}

/// The greatest key of a line.
pub(crate) fn last_key(line: &Line) -> UserKey {
    at(line, u64::MAX, u64::MAX)
}

fn at(line: &Line, due: u64, id: u64) -> UserKey {
    let function = line.function.get();
    if line.qualifier.is_latest() {
        return codec::join::<3, 24>([function, due, id]).into();
    }
    let qualifier = line.qualifier.as_str();
    let length = u8::try_from(qualifier.len()).expect("a qualifier has at most 128 bytes");
    let mut key = Vec::with_capacity(25 + qualifier.len());
    key.extend_from_slice(&(QUALIFIED | function).to_be_bytes());
    key.push(length);
    key.extend_from_slice(qualifier.as_bytes());
    key.extend_from_slice(&codec::join::<2, 16>([due, id]));
    key.into()
}

pub(crate) fn parse_key(key: &[u8]) -> Result<(Line, QueuePosition), Undecodable> {
    let short = || Undecodable::new("its key is too short");
    let (function, rest) = key.split_at_checked(8).ok_or_else(short)?;
    let [function] = codec::split(function)?;
    let (qualifier, position) = if function & QUALIFIED == 0 {
        (Qualifier::latest(), rest)
    } else {
        let (length, rest) = rest.split_first().ok_or_else(short)?;
        let (text, position) = rest.split_at_checked(usize::from(*length)).ok_or_else(short)?;
        (qualifier(text)?, position)
    };
    let [due, id] = codec::split(position)?;
    let line = Line::new(FunctionId::new(function & !QUALIFIED), qualifier);
    Ok((line, (Timestamp::from_micros(due), InvocationId::new(id))))
}

fn qualifier(text: &[u8]) -> Result<Qualifier, Undecodable> {
    let text = str::from_utf8(text).map_err(|error| Undecodable::new(error.to_string()))?;
    Qualifier::new(text).map_err(|error| Undecodable::new(error.to_string()))
}
