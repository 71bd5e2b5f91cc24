//! Memory use of a process, read from `/proc`.
//!
//! Owns the parsing. Peaks never fall, so the last value read still holds after the process is gone.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// `/proc/PID/status` is far shorter than this.
const STATUS_BYTES_MAX: usize = 4096;

/// Reads the peak resident memory of one process; keeps the file open, because opening costs more than reading.
#[derive(Debug)]
pub(crate) struct MemoryGauge {
    status: Option<File>,
    peak_bytes: AtomicU64,
}

impl MemoryGauge {
    /// `pid` is the process's number in this namespace; 0 if unknown.
    pub(crate) fn open(pid: u32) -> Self {
        let status = File::open(format!("/proc/{pid}/status")).ok();
        Self { status, peak_bytes: AtomicU64::new(0) }
    }

    /// Takes over a figure that somebody else has read.
    pub(crate) fn note(&self, bytes: u64) {
        self.peak_bytes.fetch_max(bytes, Ordering::Relaxed);
    }

    /// Highest resident memory so far, in bytes; 0 if it was never readable.
    pub(crate) fn peak_bytes(&self) -> u64 {
        let mut buffer = [0_u8; STATUS_BYTES_MAX];
        let read = self.status.as_ref().and_then(|status| status.read_at(&mut buffer, 0).ok()).unwrap_or(0);
        let now = kilobytes_of(&buffer[..read], b"\nVmHWM:").unwrap_or(0).saturating_mul(1024);
        self.peak_bytes.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

/// The number after `field` in the text of `/proc/PID/status`.
fn kilobytes_of(status: &[u8], field: &[u8]) -> Option<u64> {
    let start = status.windows(field.len()).position(|window| window == field)? + field.len();
    let digits = status[start..].iter().skip_while(|byte| byte.is_ascii_whitespace());
    let digits: Vec<u8> = digits.take_while(|byte| byte.is_ascii_digit()).copied().collect();
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests;
