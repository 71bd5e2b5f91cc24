//! Time of the real machine: how long steps take, and waiting for other processes.
//!
//! The only module of xtask that reads a clock. Every wait has a deadline.

use std::time::{Duration, Instant};

/// Between two looks at a condition that cannot wake us.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Measures from its creation.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "xtask measures real programs")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Looks at `condition` until it gives a value; `None` when that took longer than `limit`.
///
/// # Errors
/// The first error of `condition`.
pub(crate) fn wait_until<T>(
    limit: Duration,
    mut condition: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<Option<T>> {
    let stopwatch = Stopwatch::start();
    loop {
        if let Some(value) = condition()? {
            return Ok(Some(value));
        }
        if stopwatch.elapsed() >= limit {
            return Ok(None);
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "another process gives us nothing to be woken by")]
fn pause() {
    std::thread::sleep(LOOK_INTERVAL);
}

/// `72.4 s` or `3 min 05 s`.
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 100 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}
