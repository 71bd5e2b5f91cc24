//! Standby instances: processes of the built-in runtimes that are up before anybody knows what they are for.
//!
//! Most of a cold start is an interpreter that comes up. A standby is an instance like any other, in a sandbox of its own, in
//! which that has happened; its agent waits for its first frame. A start that finds one has the sandbox finished and the agent
//! told; a start that finds none goes the whole way, and asks for some to be kept ([`shelves`] decides). A standby is used
//! once, for one function, and holds nothing of any function before.
//!
//! Owns the processes that wait, and the one task that starts and ends them. They are no instances: nobody's cap or list
//! counts them. After a crash of the server the kernel has ended them.

mod blank;
mod shelves;

use std::io;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use bide_env::Clock;
use bide_sandbox::{Adoption, LaunchError, Launcher, Process, ProcessHandle, Standby};
use tokio::net::UnixStream;
use tokio::sync::Notify;

use crate::executor::Cancel;
use crate::layout::CODE;
use crate::runtime::{agent, with_causes};
pub(crate) use blank::Blank;
use shelves::Shelves;
pub use shelves::StandbyStats;

/// Standbys that nobody has asked for end after so long.
const IDLE_TIMEOUT: Duration = Duration::from_secs(600);
/// Most kinds of standbys at a time; runtimes, networks and sizes of `/tmp` make up a few.
const BLANKS_MAX: usize = 8;
/// A standby whose agent does not wait after so long is none.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The standbys of one server.
pub(crate) struct Standbys {
    shared: Arc<Shared>,
}

struct Shared {
    launcher: Arc<dyn Launcher>,
    clock: Arc<dyn Clock>,
    shelves: Mutex<Shelves<Arc<Blank>, Idle>>,
    changed: Notify,
    closing: Cancel,
}

/// A standby and the server's end of its control socket, of which what the agent said first has been read.
#[derive(Debug)]
pub(crate) struct Idle {
    standby: Standby,
    control: UnixStream,
}

impl Idle {
    /// Finishes the sandbox; what the agent must be told is up to the caller.
    pub(crate) async fn adopt(self, adoption: &Adoption) -> Result<(Process, UnixStream), LaunchError> {
        Ok((self.standby.adopt(adoption).await?, self.control))
    }
}

/// A pair of control sockets: ours, and that of the process.
pub(crate) fn control() -> io::Result<(UnixStream, StdUnixStream)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs))
}

impl Standbys {
    /// `per_blank`: how many of a kind stand ready. Must be called within a tokio runtime.
    pub(crate) fn start(launcher: Arc<dyn Launcher>, clock: Arc<dyn Clock>, per_blank: usize) -> Self {
        let shared = Arc::new(Shared {
            launcher,
            clock,
            shelves: Mutex::new(Shelves::new(per_blank)),
            changed: Notify::new(),
            closing: Cancel::new(),
        });
        let closing = shared.closing.clone();
        // Ends when the standbys are closed or dropped.
        tokio::spawn(keep(Arc::downgrade(&shared), closing));
        Self { shared }
    }

    /// One of the kind, if one waits.
    pub(crate) fn take(&self, blank: &Arc<Blank>) -> Option<Idle> {
        self.shared.shelves().take(blank, self.shared.clock.monotonic())
    }

    /// A start could have used one, or has: more stand ready soon.
    pub(crate) fn ask(&self, blank: &Arc<Blank>) {
        let evicted = self.shared.shelves().ask(blank, self.shared.clock.monotonic());
        drop(evicted);
        self.shared.changed.notify_one();
    }

    pub(crate) fn stats(&self) -> StandbyStats {
        self.shared.shelves().stats()
    }

    /// Ends all; resolves when they are gone.
    pub(crate) async fn close(&self) {
        let standbys = self.shared.shelves().close();
        self.shared.closing.cancel();
        let handles: Vec<_> = standbys.iter().map(|idle| idle.standby.handle()).collect();
        drop(standbys);
        for handle in handles {
            handle.exited().await;
        }
    }
}

impl Drop for Standbys {
    fn drop(&mut self) {
        self.shared.closing.cancel();
    }
}

impl Shared {
    fn shelves(&self) -> MutexGuard<'_, Shelves<Arc<Blank>, Idle>> {
        self.shelves.lock().expect("nothing panics while it holds the lock")
    }

    /// Starts a standby; resolves when its agent waits.
    async fn start(&self, blank: &Blank) -> Result<Idle, String> {
        let (mut ours, theirs) = control().map_err(|error| with_causes(&error))?;
        let launch = blank.launch(theirs.into());
        let standby = self.launcher.stand_by(launch, vec![PathBuf::from(CODE)]).await;
        let standby = standby.map_err(|error| with_causes(&error))?;
        tokio::select! {
            waits = agent::waits(&mut ours) => {
                if waits { Ok(Idle { standby, control: ours }) } else { Err("it has ended".to_owned()) }
            }
            () = self.clock.sleep(START_TIMEOUT) => Err("its agent does not come up".to_owned()),
        }
    }

    fn started(self: &Arc<Self>, number: u64, blank: &Blank, started: Result<Idle, String>) {
        if let Err(error) = &started {
            tracing::warn!(program = %blank.program().display(), error, "a standby instance could not be started");
        }
        let handle = started.as_ref().ok().map(|idle| idle.standby.handle());
        let unwanted = self.shelves().started(started.ok(), self.clock.monotonic());
        if let (Some(handle), None) = (handle, unwanted) {
            tokio::spawn(watch_end(Arc::downgrade(self), number, handle));
        }
    }
}

/// Notices a standby that ends while it waits.
async fn watch_end(shared: Weak<Shared>, number: u64, handle: ProcessHandle) {
    handle.exited().await;
    let Some(shared) = shared.upgrade() else { return };
    let ended = shared.shelves().ended(number, shared.clock.monotonic());
    if ended.is_some() {
        tracing::warn!(pid = handle.pid(), "a standby instance has ended by itself");
        shared.changed.notify_one();
    }
}

/// Starts what is missing, and ends what nobody needs.
async fn keep(shared: Weak<Shared>, closing: Cancel) {
    while let Some(shared) = shared.upgrade() {
        let step = async {
            let now = shared.clock.monotonic();
            let (expired, start, moment) = {
                let mut shelves = shared.shelves();
                (shelves.expire(now), shelves.next_start(now), shelves.next_moment())
            };
            drop(expired);
            if let Some((number, blank)) = start {
                let started = shared.start(&blank).await;
                shared.started(number, &blank, started);
                return;
            }
            let rest = async {
                match moment {
                    Some(moment) => shared.clock.sleep(moment.saturating_sub(now)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = rest => {}
                () = shared.changed.notified() => {}
            }
        };
        tokio::select! {
            () = step => {}
            () = closing.cancelled() => return,
        }
    }
}
