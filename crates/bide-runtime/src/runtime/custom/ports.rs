//! The ports of custom runtimes: which instance listens where.
//!
//! Owns the choice. Without a network namespace all instances share the ports of the machine: the function's own port
//! is used when it is free, any free one otherwise. Code that insists on its own port waits for it ([`Ports::own`]), and
//! an idle instance that holds it makes way. Held in memory only.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bide_env::Clock;

/// Ports given when the function's own is not free. Below the range from which the kernel takes the ports of outgoing
/// connections, so that none is snatched away between the choice and the server's start.
const FALLBACK_PORTS: std::ops::Range<u16> = 20_000..30_000;
/// Where the search goes on. A static, because ports belong to the machine and not to one pool.
static NEXT_FALLBACK: AtomicU16 = AtomicU16::new(0);
/// Time between two looks at a port that is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);
/// How long an instance that was given a port is expected to begin to listen on it.
const HOLDER_WAIT_MAX: Duration = Duration::from_secs(3);
/// Longest wait for a port that instances of this server hold; less than a custom runtime may take to start.
const WAIT_MAX: Duration = Duration::from_secs(100);
/// Longest wait for a port that somebody else holds: an instance that is just ending frees it at once.
const FOREIGN_WAIT_MAX: Duration = Duration::from_secs(3);

/// Why a port cannot be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotFree {
    /// Instances of this server use it, and have for long.
    Ours,
    /// Another program of this machine uses it, or the kernel refuses it.
    Foreign,
}

/// Ports given to instances of this server.
#[derive(Clone, Default)]
pub(super) struct Ports {
    table: Arc<Mutex<HashMap<u16, Entry>>>,
}

/// One port that is held or waited for.
#[derive(Clone, Copy, Default)]
struct Entry {
    /// When it was taken, if it is.
    taken_at: Option<Duration>,
    waiting: usize,
}

/// A port that no other instance is given while this lives.
pub(super) struct Port {
    number: u16,
    ports: Ports,
}

/// Says that somebody waits for a port.
struct Wanted<'a> {
    number: u16,
    ports: &'a Ports,
}

impl Ports {
    /// `preferred` if it is free (0: no preference), a fallback port otherwise.
    ///
    /// # Errors
    /// `AddrInUse` when nothing is free.
    pub(super) async fn any(&self, preferred: u16, clock: &dyn Clock) -> io::Result<Port> {
        if preferred != 0
            && let Some(port) = self.preferred(preferred, clock).await
        {
            return Ok(port);
        }
        self.fallback(clock.monotonic())
    }

    /// The port if it is free. While its holder does not listen yet, this waits: code that insists on the port would
    /// snatch it from the holder, instead of finding it in use.
    async fn preferred(&self, number: u16, clock: &dyn Clock) -> Option<Port> {
        loop {
            let now = clock.monotonic();
            match self.try_take(number, now) {
                Ok(port) => return Some(port),
                Err(NotFree::Foreign) => return None,
                Err(NotFree::Ours) if self.is_held_longer(number, HOLDER_WAIT_MAX, now) => return None,
                Err(NotFree::Ours) if !can_listen(number) => return None,
                Err(NotFree::Ours) => clock.sleep(LOOK_INTERVAL).await,
            }
        }
    }

    fn fallback(&self, now: Duration) -> io::Result<Port> {
        for _ in FALLBACK_PORTS {
            let offset = NEXT_FALLBACK.fetch_add(1, Ordering::Relaxed);
            let count = FALLBACK_PORTS.end - FALLBACK_PORTS.start;
            if let Ok(port) = self.try_take(FALLBACK_PORTS.start + offset % count, now) {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    /// This port and no other, once it is free.
    ///
    /// # Errors
    /// [`NotFree`] when that takes too long.
    pub(super) async fn own(&self, number: u16, clock: &dyn Clock) -> Result<Port, NotFree> {
        let _wanted = Wanted::new(self, number);
        let begun = clock.monotonic();
        let mut last_ours = begun;
        loop {
            let now = clock.monotonic();
            let refused = match self.try_take(number, now) {
                Ok(port) => return Ok(port),
                Err(refused) => refused,
            };
            if refused == NotFree::Ours {
                last_ours = now;
            }
            if now.saturating_sub(last_ours) > FOREIGN_WAIT_MAX || now.saturating_sub(begun) > WAIT_MAX {
                return Err(refused);
            }
            clock.sleep(LOOK_INTERVAL).await;
        }
    }

    fn try_take(&self, number: u16, now: Duration) -> Result<Port, NotFree> {
        let mut table = self.lock();
        if table.get(&number).is_some_and(|entry| entry.taken_at.is_some()) {
            return Err(NotFree::Ours);
        }
        if !can_listen(number) {
            return Err(NotFree::Foreign);
        }
        table.entry(number).or_default().taken_at = Some(now);
        Ok(Port { number, ports: self.clone() })
    }

    fn is_held_longer(&self, number: u16, limit: Duration, now: Duration) -> bool {
        let taken_at = self.lock().get(&number).and_then(|entry| entry.taken_at);
        taken_at.is_some_and(|taken_at| now.saturating_sub(taken_at) > limit)
    }

    fn change(&self, number: u16, change: impl FnOnce(&mut Entry)) {
        let mut table = self.lock();
        let entry = table.entry(number).or_default();
        change(entry);
        if entry.taken_at.is_none() && entry.waiting == 0 {
            table.remove(&number);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u16, Entry>> {
        self.table.lock().expect("nothing panics while it holds the lock")
    }
}

/// Whether nobody listens on a port: bound to all interfaces, as the code itself will bind it, and freed at once.
fn can_listen(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, number)).is_ok()
}

impl Port {
    pub(super) fn number(&self) -> u16 {
        self.number
    }

    /// Whether an instance that cannot do without this port waits for it.
    pub(super) fn is_wanted(&self) -> bool {
        self.ports.lock().get(&self.number).is_some_and(|entry| entry.waiting > 0)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.ports.change(self.number, |entry| entry.taken_at = None);
    }
}

impl<'a> Wanted<'a> {
    fn new(ports: &'a Ports, number: u16) -> Self {
        ports.change(number, |entry| entry.waiting += 1);
        Self { number, ports }
    }
}

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.ports.change(self.number, |entry| entry.waiting -= 1);
    }
}

#[cfg(test)]
mod tests;
