//! Clocks: wall time for what is stored and shown, monotonic time for what is measured and waited for.
//!
//! `SystemClock` is real. `ManualClock` stands still until a test moves it, and then wakes those who wait.

mod precise;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bide_types::Timestamp;
use tokio::sync::watch;

/// A source of time.
pub trait Clock: Send + Sync + 'static {
    /// Wall-clock time; may step back.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point; never steps back.
    fn monotonic(&self) -> Duration;

    /// Resolves when [`Clock::now`] has reached `at`, never before.
    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Resolves when `duration` has passed, never before.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// The machine's clock.
#[derive(Debug, Clone)]
pub struct SystemClock {
    started: std::time::Instant,
}

/// A sleep is never longer than this before the wall clock is read again, so that a clock step is noticed.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// The runtime's timer counts milliseconds and is late by one or two; this much is left to a precise one.
const COARSE_MARGIN: Duration = Duration::from_millis(2);

impl SystemClock {
    #[allow(clippy::disallowed_methods)] // the one place that may
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[allow(clippy::disallowed_methods)] // the one place that may
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_micros(
            since_epoch.map_or(0, |duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)),
        )
    }

    fn monotonic(&self) -> Duration {
        self.started.elapsed()
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            loop {
                let left = at.since(self.now());
                if left.is_zero() {
                    return;
                }
                if left > COARSE_MARGIN {
                    tokio::time::sleep((left - COARSE_MARGIN).min(SLEEP_MAX)).await;
                } else if precise::sleep_until(at).await.is_err() {
                    tokio::time::sleep(left).await;
                }
            }
        })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(tokio::time::sleep(duration))
    }
}

/// A clock that a test moves by hand. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
}

impl ManualClock {
    pub fn at(now: Timestamp) -> Self {
        Self { now: watch::Sender::new(now) }
    }

    /// Moves the time on and wakes every sleeper whose moment has come.
    pub fn advance(&self, duration: Duration) {
        self.now.send_modify(|now| *now = now.plus(duration));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.now().as_micros())
    }

    fn sleep_until(&self, at: Timestamp) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut changes = self.now.subscribe();
        Box::pin(async move {
            // The sender lives in `self`, which outlives this future, so waiting cannot fail.
            let _ = changes.wait_for(|now| *now >= at).await;
        })
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.sleep_until(self.now().plus(duration))
    }
}

#[cfg(test)]
mod tests;
