//! Outbound access of one instance, on demand: nothing but a trap until the instance sends something.
//!
//! Owns the order: a packet is caught, pasta is started, what was caught is sent again by its device. If it
//! cannot be started the trap goes: what was caught is lost, and later attempts are told at once that the network is
//! unreachable. One process per instance, so that no instance takes connections, descriptors or time from the network of another.
//! Bounded: one start per instance, ever.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::pasta::{self, Pasta, Progress, Report};
use super::surroundings::Families;
use super::trap::Trap;

const TUN: &str = "/dev/net/tun";

/// Whether this host can give instances a way out, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outbound {
    /// By this program.
    Pasta(PathBuf),
    /// It cannot, for this reason; instances get loopback only.
    Unavailable(String),
}

impl Outbound {
    /// Looks for what is needed and makes it available. Runs in the supervisor.
    pub(crate) fn detect() -> Self {
        let Some(program) = pasta::find() else {
            return Self::Unavailable("pasta is not installed (package passt)".to_owned());
        };
        // If it fails, so does opening, with the reason that matters.
        let _ = super::make_tun_available();
        match OpenOptions::new().read(true).write(true).open(TUN) {
            Ok(_) => Self::Pasta(program),
            Err(error) => Self::Unavailable(format!("{TUN} cannot be opened: {error}")),
        }
    }
}

/// The way out of one instance.
#[derive(Debug)]
pub(crate) struct Attachment {
    /// Pasta.
    program: PathBuf,
    instance: Pid,
    families: Families,
    /// Until [`Attachment::take_trap`].
    trap: Option<Trap>,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting,
    Starting { first: Vec<u8>, pasta: Pasta, report: Report },
    Up { _pasta: Pasta },
    Closed,
}

impl Attachment {
    /// Takes over the trap that `instance`, process 1 of it, has laid.
    pub(crate) fn new(program: PathBuf, instance: Pid, families: Families, trap: Trap) -> Self {
        Self { program, instance, families, trap: Some(trap), state: State::Waiting }
    }

    /// [`Attachment::advance`] wants to be called when this is readable; `None`: never again.
    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Waiting => self.trap.as_ref().map(Trap::fd),
            State::Starting { report, .. } => Some(report.fd()),
            State::Up { .. } | State::Closed => None,
        }
    }

    /// The trap, when it will catch nothing more. Its device goes when its descriptors are closed, for which the kernel takes
    /// tens of milliseconds.
    pub(crate) fn take_trap(&mut self) -> Option<Trap> {
        let needed = matches!(self.state, State::Waiting | State::Starting { .. });
        if needed { None } else { self.trap.take() }
    }

    /// The instance has ended.
    pub(crate) fn into_trap(self) -> Option<Trap> {
        self.trap
    }

    /// Goes on as far as is possible without waiting.
    ///
    /// # Errors
    /// Why the instance has no way out from now on.
    pub(crate) fn advance(&mut self) -> io::Result<()> {
        let state = std::mem::replace(&mut self.state, State::Closed);
        let Some(trap) = &mut self.trap else { return Ok(()) };
        self.state = match state {
            State::Waiting => wait(trap, || pasta::start(&self.program, self.instance, self.families))?,
            State::Starting { first, pasta, report } => follow(trap, self.families, first, pasta, report)?,
            other => other,
        };
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.state, State::Waiting)
    }
}

fn wait(trap: &mut Trap, start: impl FnOnce() -> io::Result<(Pasta, Report)>) -> io::Result<State> {
    let Some(first) = trap.first_caught()? else { return Ok(State::Waiting) };
    let (pasta, report) = start()?;
    Ok(State::Starting { first, pasta, report })
}

fn follow(
    trap: &Trap,
    families: Families,
    first: Vec<u8>,
    pasta: Pasta,
    mut report: Report,
) -> io::Result<State> {
    match report.progress()? {
        Progress::Starting => Ok(State::Starting { first, pasta, report }),
        Progress::Ready => {
            trap.release(&first, families);
            Ok(State::Up { _pasta: pasta })
        }
        Progress::Failed(why) => Err(io::Error::other(format!("pasta did not start: {why}"))),
    }
}
