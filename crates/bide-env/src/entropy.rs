//! Randomness, and the ids made from it.

use std::sync::atomic::{AtomicU64, Ordering};

use bide_types::RequestId;

/// A source of random bytes.
pub trait Entropy: Send + Sync + 'static {
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[allow(clippy::disallowed_methods)] // the one place that may
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the operating system's random generator works");
    }
}

/// Counts instead of drawing; for tests.
#[derive(Debug, Default)]
pub struct SequenceEntropy(AtomicU64);

impl Entropy for SequenceEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
            chunk.copy_from_slice(&number[8 - chunk.len()..]);
        }
    }
}

/// A number from 0 to below 1, evenly spread.
#[allow(clippy::cast_precision_loss)] // 53 bits are what it can hold
pub fn fraction(entropy: &dyn Entropy) -> f64 {
    let mut bytes = [0_u8; 8];
    entropy.fill(&mut bytes);
    (u64::from_le_bytes(bytes) >> 11) as f64 / (1_u64 << 53) as f64
}

/// A fresh request id: a version 4 UUID (RFC 9562).
pub fn request_id(entropy: &dyn Entropy) -> RequestId {
    let mut bytes = [0_u8; 16];
    entropy.fill(&mut bytes);
    uuid(bytes, 4)
}

/// The request id of what is the same whenever it is derived again: a version 8 UUID (RFC 9562) of a digest.
pub fn derived_request_id(digest: [u8; 16]) -> RequestId {
    uuid(digest, 8)
}

fn uuid(mut bytes: [u8; 16], version: u8) -> RequestId {
    bytes[6] = (bytes[6] & 0x0f) | (version << 4);
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        for digit in [byte >> 4, byte & 0x0f] {
            text.push(char::from_digit(u32::from(digit), 16).expect("a hexadecimal digit"));
        }
    }
    RequestId::new(&text).expect("a UUID is a valid request id")
}

#[cfg(test)]
mod tests;
