//! Numbers in keys, versions in values.
//!
//! Owns the two rules of the format: numbers in keys are big-endian, and a value is a version byte followed by
//! postcard. What cannot be read becomes [`StoreError::Damaged`], which names the place.

use bide_store::StoreError;
use fjall::UserValue;
use serde::{Deserialize, Serialize};

use super::Space;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Undecodable(pub(crate) String);

impl Undecodable {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The error that a caller of the store sees.
    pub(crate) fn at(self, space: Space, key: &[u8]) -> StoreError {
        StoreError::Damaged { place: place(space, key), reason: self.0 }
    }
}

/// A name for an entry that an operator can search for.
pub(crate) fn place(space: Space, key: &[u8]) -> String {
    let mut text = format!("{}/", space.name());
    match str::from_utf8(key) {
        Ok(name) if matches!(space, Space::Controls | Space::Meta) => text.push_str(name),
        _ => key.iter().for_each(|byte| text.push_str(&format!("{byte:02x}"))),
    }
    text
}

pub(crate) fn encode<T: Serialize>(version: u8, value: &T) -> UserValue {
    let bytes = postcard::to_extend(value, vec![version])
        .expect("a mirror struct has no part that cannot be encoded");
    UserValue::from(bytes)
}

pub(crate) fn decode<'a, T: Deserialize<'a>>(version: u8, bytes: &'a [u8]) -> Result<T, Undecodable> {
    let (value, rest) = postcard::take_from_bytes(versioned(version, bytes)?)
        .map_err(|error| Undecodable::new(format!("its value cannot be decoded ({error})")))?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(Undecodable::new(format!("its value has {} bytes too many", rest.len())))
    }
}

pub(crate) fn has_version(version: u8, bytes: &[u8]) -> bool {
    bytes.first() == Some(&version)
}

/// The bytes after the version byte.
pub(crate) fn versioned(version: u8, bytes: &[u8]) -> Result<&[u8], Undecodable> {
    match bytes.split_first() {
        None => Err(Undecodable::new("its value is empty")),
        Some((found, rest)) if *found == version => Ok(rest),
        Some((found, _)) => {
            Err(Undecodable::new(format!("its value has version {found}, known is {version}")))
        }
    }
}

/// Joins numbers to a key.
pub(crate) fn join<const PARTS: usize, const BYTES: usize>(numbers: [u64; PARTS]) -> [u8; BYTES] {
    const { assert!(BYTES == PARTS * 8) };
    let mut key = [0; BYTES];
    for (part, number) in key.chunks_exact_mut(8).zip(numbers) {
        part.copy_from_slice(&number.to_be_bytes());
    }
    key
}

/// Takes a key of `PARTS` numbers apart.
pub(crate) fn split<const PARTS: usize>(key: &[u8]) -> Result<[u64; PARTS], Undecodable> {
    if key.len() != PARTS * 8 {
        return Err(Undecodable::new(format!("its key has {} bytes instead of {}", key.len(), PARTS * 8)));
    }
    let mut numbers = [0; PARTS];
    for (number, part) in numbers.iter_mut().zip(key.chunks_exact(8)) {
        *number = u64::from_be_bytes(part.try_into().expect("a chunk has 8 bytes"));
    }
    Ok(numbers)
}
