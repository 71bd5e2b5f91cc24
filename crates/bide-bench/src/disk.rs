//! The physical limit: what one small durable append costs on the disk under test.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use bide_env::{Clock as _, SystemClock};

use crate::figures::Samples;

const APPENDS: usize = 1000;
const APPEND_BYTES: usize = 4096;

/// Times of `APPENDS` appends of 4 KiB, each followed by fdatasync, to a growing file in `dir`.
pub(crate) fn flushes(dir: &Path) -> anyhow::Result<Samples> {
    let clock = SystemClock::new();
    let mut file = File::create(dir.join("flush-cost"))?;
    let block = [7_u8; APPEND_BYTES];
    let mut samples = Samples::default();
    for _ in 0..APPENDS {
        let begin = clock.monotonic();
        file.write_all(&block)?;
        file.sync_data()?;
        samples.add(clock.monotonic() - begin);
    }
    std::fs::remove_file(dir.join("flush-cost"))?;
    Ok(samples)
}
