//! The look at memory: who holds more than the limit is ended.
//!
//! Owns the timer. Where the kernel bounds memory by control group it bounds program and `/tmp` together, so the program's
//! own share is looked at here as well; where it does not, this look is the only limit.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;

use rustix::process::Pid;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};

use super::launch::Instance;
use crate::watchdog::{Namespace, Usage, Watchdog};

/// Shortest time between two looks.
const INTERVAL_MS_MIN: u64 = 100;
/// A look costs about 0.05 ms per process, so that looking takes a few hundredths of one CPU at most.
const INTERVAL_MS_PER_INSTANCE: u64 = 2;

pub(super) struct Look {
    pub(super) timer: OwnedFd,
    armed: bool,
    watchdog: Watchdog,
}

/// What is known of one instance's memory.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// For instances without a control group for memory.
    namespace: Option<Namespace>,
    pub(super) peak_bytes: u64,
    /// Ended because it held too much.
    pub(super) exceeded: bool,
}

impl Look {
    pub(super) fn new() -> io::Result<Self> {
        let timer =
            timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        Ok(Self { timer, armed: false, watchdog: Watchdog::new("/proc".into()) })
    }

    /// Lets the timer expire once, if it does not run yet.
    pub(super) fn arm(&mut self, instances: usize) -> io::Result<()> {
        if self.armed {
            return Ok(());
        }
        let instances = u64::try_from(instances).unwrap_or(u64::MAX);
        let millis = instances.saturating_mul(INTERVAL_MS_PER_INSTANCE).max(INTERVAL_MS_MIN);
        let nanos = i64::try_from(millis % 1000 * 1_000_000).unwrap_or(0);
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec { tv_sec: i64::try_from(millis / 1000).unwrap_or(i64::MAX), tv_nsec: nanos },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)?;
        self.armed = true;
        Ok(())
    }

    /// The timer has expired.
    pub(super) fn begin(&mut self) {
        self.armed = false;
        let _ = rustix::io::read(&self.timer, &mut [0_u8; 8][..]);
    }

    /// Remembers where a program runs that no control group bounds. The program's own process is asked: process 1 has not
    /// executed anything, so the kernel does not let us look into it.
    pub(super) fn note_program(&self, memory: &mut Memory, program: Option<Pid>) {
        let pid = program.map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
        memory.namespace = pid.and_then(|pid| self.watchdog.namespace_of(pid).ok());
    }

    /// The usage of all namespaces, for [`Look::judge`]; empty if nobody needs it.
    pub(super) fn usage<'a>(
        &self,
        mut memories: impl Iterator<Item = &'a Memory>,
    ) -> HashMap<Namespace, Usage> {
        if memories.any(|memory| memory.namespace.is_some()) {
            self.watchdog.look().unwrap_or_default()
        } else {
            HashMap::new()
        }
    }

    /// Ends an instance that holds more than it may.
    pub(super) fn judge(&self, instance: &Instance, memory: &mut Memory, usage: &HashMap<Namespace, Usage>) {
        let limit = instance.memory_bytes_max.unwrap_or(u64::MAX);
        let now = match memory.namespace.and_then(|namespace| usage.get(&namespace)) {
            Some(usage) if usage.memory_bytes > limit => self.watchdog.shared_out(usage),
            Some(usage) => usage.memory_bytes,
            None => instance.group.memory_now().unwrap_or(0),
        };
        memory.peak_bytes = memory.peak_bytes.max(now);
        // The kernel may have killed one of several processes; what is left of the instance is of no use.
        if now > limit || instance.group.oom_kills() > 0 {
            memory.exceeded = true;
            instance.end();
        }
    }
}
