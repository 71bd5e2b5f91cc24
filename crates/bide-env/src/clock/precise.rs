//! The last stretch of a wait, to about a tenth of a millisecond: a timer of the kernel on the wall clock (timerfd_create(2)).

use std::io;

use bide_types::Timestamp;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Resolves when the wall clock has reached `at`, or when it was set by somebody.
///
/// # Errors
/// When the process has no descriptor left for the timer.
pub(super) async fn sleep_until(at: Timestamp) -> io::Result<()> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let micros = at.as_micros();
    let value = Timespec {
        tv_sec: i64::try_from(micros / 1_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(micros % 1_000_000 * 1000).expect("below a second"),
    };
    let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
    timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &once)?;
    // Deprecated because it takes types that may close or swap their descriptor; `OwnedFd` does neither, and the
    // replacement is `unsafe`, which this crate may not use.
    #[allow(deprecated)]
    let timer = AsyncFd::with_interest(timer, Interest::READABLE)?;
    let _ = timer.readable().await?;
    Ok(())
}
