//! One batch in the engine's journal, as fjall 3 writes it.
//!
//! ```text
//! start  1, number of items (4), sequence number (8)
//! item   2, kind (1), compression (1), keyspace (8), key length (2), length (4), length as stored (4), key, value
//! clear  4, keyspace (8)
//! end    3, XXH3 of all items (8), "FJL" 3
//! ```
//!
//! Numbers are little-endian. A test writes a journal with the engine and reads it here, so that another format of
//! another engine is noticed before it is used. Never interprets an item.

use std::io::{self, Read};

use xxhash_rust::xxh3::Xxh3;

const START: u8 = 1;
const ITEM: u8 = 2;
const END: u8 = 3;
const CLEAR: u8 = 4;
const TRAILER: [u8; 4] = *b"FJL\x03";

/// Bytes of an item between its tag and its key.
const ITEM_HEAD_BYTES: usize = 20;
/// Bodies are hashed in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

/// Reads over one whole batch and returns its length; `None` when what is there is none. `left` bounds what an item may
/// claim to have.
pub(super) fn read_batch(reader: &mut impl Read, left: u64) -> io::Result<Option<u64>> {
    let mut batch = Batch { reader, left, bytes: 0, hash: Xxh3::default() };
    match batch.read() {
        Ok(whole) => Ok(whole.then_some(batch.bytes)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a whole batch begins somewhere behind the end of another.
pub(super) fn any_whole(bytes: &[u8]) -> io::Result<bool> {
    for (place, window) in bytes.windows(TRAILER.len()).enumerate() {
        if window == TRAILER {
            let mut after = &bytes[place + TRAILER.len()..];
            let left = after.len() as u64;
            if read_batch(&mut after, left)?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

struct Batch<'a, R> {
    reader: &'a mut R,
    left: u64,
    bytes: u64,
    hash: Xxh3,
}

impl<R: Read> Batch<'_, R> {
    fn read(&mut self) -> io::Result<bool> {
        let [tag] = self.take()?;
        if tag != START {
            return Ok(false);
        }
        let items = u32::from_le_bytes(self.take()?);
        let _sequence_number: [u8; 8] = self.take()?;
        for _ in 0..items {
            if !self.read_item()? {
                return Ok(false);
            }
        }
        let [tag] = self.take()?;
        let hash = u64::from_le_bytes(self.take()?);
        let trailer: [u8; 4] = self.take()?;
        Ok(tag == END && hash == self.hash.digest() && trailer == TRAILER)
    }

    fn read_item(&mut self) -> io::Result<bool> {
        let [tag] = self.take_hashed()?;
        match tag {
            CLEAR => {
                let _keyspace: [u8; 8] = self.take_hashed()?;
                Ok(true)
            }
            ITEM => {
                let head: [u8; ITEM_HEAD_BYTES] = self.take_hashed()?;
                let [.., key_0, key_1, _, _, _, _, stored_0, stored_1, stored_2, stored_3] = head;
                let key = u64::from(u16::from_le_bytes([key_0, key_1]));
                let stored = u64::from(u32::from_le_bytes([stored_0, stored_1, stored_2, stored_3]));
                self.skip_hashed(key + stored)
            }
            _ => Ok(false),
        }
    }

    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.reader.read_exact(&mut bytes)?;
        self.bytes += N as u64;
        Ok(bytes)
    }

    fn take_hashed<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let bytes = self.take()?;
        self.hash.update(&bytes);
        Ok(bytes)
    }

    /// False when so many bytes are not there.
    fn skip_hashed(&mut self, mut count: u64) -> io::Result<bool> {
        if self.bytes + count > self.left {
            return Ok(false);
        }
        let mut piece = [0; PIECE_BYTES];
        while count > 0 {
            let length = usize::try_from(count).map_or(PIECE_BYTES, |count| count.min(PIECE_BYTES));
            self.reader.read_exact(&mut piece[..length])?;
            self.hash.update(&piece[..length]);
            self.bytes += length as u64;
            count -= length as u64;
        }
        Ok(true)
    }
}
