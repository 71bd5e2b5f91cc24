//! How long to wait before another attempt.
//!
//! Owns two doubling series (FC "Retry policies"; fc-behaviour 12): after function errors, and after refusals by the
//! platform, which go on for a window of five hours. The window is measured in wall-clock time, which passes also while
//! the node is down or a long run goes well; so a chain of refusals is bounded by counts as well, from below and above.

use std::time::Duration;

use bide_types::Timestamp;
use bide_types::limits::{RETRY_ATTEMPTS_MAX, SYSTEM_RETRY_WINDOW};

use crate::invocation::Refusals;

/// Wait before the first retry of either series.
pub const FIRST: Duration = Duration::from_millis(500);
/// Longest wait after a refusal: pure doubling would leave gaps of hours near the end of the window.
pub const REFUSAL_CEILING: Duration = Duration::from_secs(60);
/// Longest wait after a function error.
pub const FUNCTION_ERROR_CEILING: Duration = Duration::from_secs(300);

/// A chain goes on at least this long: an outage that uses up the window does not end work that was hardly tried.
/// In normal operation the window holds about 300 refusals.
pub const REFUSALS_MIN: u32 = 8;
/// A chain ends here even if runs that went well for a while began its window anew: work that takes the node down with
/// it each time is not run for ever.
pub const REFUSALS_MAX: u32 = 512;

const DOUBLINGS_MAX: u32 = 16;
const _: () = assert!(RETRY_ATTEMPTS_MAX < DOUBLINGS_MAX);
const _: () = assert!(
    REFUSALS_MAX as u64 > SYSTEM_RETRY_WINDOW.as_secs() / REFUSAL_CEILING.as_secs() + DOUBLINGS_MAX as u64,
    "the window, not the count, ends a chain in normal operation"
);

/// Wait before retry number `retry` (1 is the first) after a function error: 0.5 s, 1 s, 2 s, ...
pub fn after_function_error(retry: u32) -> Duration {
    doubled(retry.saturating_sub(1)).min(FUNCTION_ERROR_CEILING)
}

/// The chain with one more refusal at `now`, and when to try again; `None` when it has gone on for long enough.
pub fn after_refusal(refusals: Option<Refusals>, now: Timestamp) -> (Refusals, Option<Timestamp>) {
    let chain = match refusals {
        None => Refusals { since: now, count: 1 },
        Some(Refusals { since, count }) => Refusals { since, count: count.saturating_add(1) },
    };
    let due = now.plus(doubled(chain.count - 1).min(REFUSAL_CEILING));
    let within_window = due <= chain.since.plus(SYSTEM_RETRY_WINDOW) || chain.count < REFUSALS_MIN;
    (chain, (within_window && chain.count < REFUSALS_MAX).then_some(due))
}

fn doubled(times: u32) -> Duration {
    FIRST * 2_u32.pow(times.min(DOUBLINGS_MAX))
}

#[cfg(test)]
mod tests;
