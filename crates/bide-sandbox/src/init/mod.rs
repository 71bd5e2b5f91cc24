//! Process 1 of an instance: makes the room, starts the program in it, stays until the program ends.
//!
//! Cloned from the supervisor into namespaces of its own. Owns what only it can do there: mounts, the network's loopback,
//! reaping, passing signals on, and sockets of its network for the server. The kernel kills everything in the instance
//! when it ends. User code runs under the same user beside it: it is not dumpable, keeps no privilege, and as process 1
//! gets no signal from inside that it does not ask for.

mod connector;
mod loopback;
mod program;
mod room;
mod settings;

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{RecvFlags, recv};
use rustix::process::{Pid, WaitOptions, wait};

use crate::cgroup::Entry;
use crate::network::Surroundings;
use crate::protocol::{self, During, Fault, InitReport, Launch};
use crate::rootfs::Parts;
use crate::seccomp::Filter;
use crate::sys;
use connector::Connector;

/// Everything that process 1 takes over from the supervisor.
pub(crate) struct Room {
    pub(crate) launch: Box<Launch>,
    pub(crate) parts: Parts,
    pub(crate) attach_point: PathBuf,
    /// Whether groups can be dropped.
    pub(crate) privileged: bool,
    /// To the supervisor, which first says when the identity is mapped.
    pub(crate) status: OwnedFd,
    pub(crate) connector: OwnedFd,
    pub(crate) output: OwnedFd,
    pub(crate) control: Option<OwnedFd>,
    /// What is around it, if it may reach other hosts.
    pub(crate) surroundings: Option<Surroundings>,
    /// Into its control groups.
    pub(crate) entry: Entry,
}

impl Room {
    /// Runs in the process that was just cloned.
    pub(crate) fn run(self, is_born_inside: bool, filter: &Filter) -> ! {
        if let Err(fault) = self.try_run(is_born_inside, filter) {
            // If the supervisor is gone, so is this process in a moment.
            let _ = protocol::send(&self.status, &InitReport::Failed(fault), &[]);
        }
        sys::exit(0)
    }

    fn try_run(&self, is_born_inside: bool, filter: &Filter) -> Result<(), Fault> {
        self.close_the_rest().during("close descriptors")?;
        self.entry.enter(is_born_inside).during("enter the control group")?;
        let mut go = [0];
        let told = recv(&self.status, &mut go[..], RecvFlags::empty()).during("wait for the identity")?;
        if told.0 == 0 {
            sys::exit(0);
        }
        room::make(self)?;
        let signals = sys::signals(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGUSR1, libc::SIGUSR2])
            .during("block signals")?;
        // The program is a copy of this process, so neither has a privilege when user code begins.
        room::seal(filter)?;
        let program = program::start(&self.launch, &self.output, self.control.as_ref())?;
        protocol::send(&self.status, &InitReport::Started, &[program.descriptor.as_fd()]).during("report")?;
        let status = self.stay(&signals, program.pid).during("wait for the program")?;
        protocol::send(&self.status, &InitReport::Ended { status }, &[]).during("report")
    }

    /// Closes the descriptors of the supervisor and of other instances. Nothing of the copied memory uses them: this
    /// process never returns.
    fn close_the_rest(&self) -> io::Result<()> {
        let own = [&self.status, &self.connector, &self.output].into_iter().chain(&self.control);
        let own = own.chain(self.parts.descriptors()).map(AsRawFd::as_raw_fd);
        let groups = self.entry.files().map(|file| file.as_raw_fd());
        let mut keep: Vec<_> = own.chain(groups).chain([0, 1, 2]).collect();
        sys::close_all_but(&mut keep)
    }

    /// Serves until the program ends; its wait status.
    fn stay(&self, signals: &OwnedFd, program: Pid) -> io::Result<i32> {
        let mut connector = Connector::new(&self.connector);
        loop {
            let mut watched =
                [signals, &self.status, &self.connector].map(|fd| PollFd::new(fd, PollFlags::IN));
            match poll(&mut watched, connector.time_left().as_ref()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            let happened = watched.map(|fd| !fd.revents().is_empty());
            if happened[0] {
                pass_on(signals)?;
                if let Some(status) = reap(program) {
                    return Ok(status);
                }
            }
            if happened[1] {
                // The supervisor says nothing more, so it is gone.
                sys::exit(0);
            }
            if happened[2] {
                connector.hear();
            }
            connector.knock();
        }
    }
}

/// Does to everything in the instance what the server asks for: end (SIGTERM), freeze (SIGUSR1), run again (SIGUSR2).
/// An instance that sends these to its process 1 only harms itself.
fn pass_on(signals: &OwnedFd) -> io::Result<()> {
    let mut buffer = [0_u8; size_of::<libc::signalfd_siginfo>()];
    loop {
        match rustix::io::read(signals, &mut buffer[..]) {
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        // The first field, `ssi_signo`.
        let number = u32::from_ne_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
        match i32::try_from(number) {
            Ok(libc::SIGTERM) => sys::signal_all(libc::SIGTERM),
            Ok(libc::SIGUSR1) => sys::signal_all(libc::SIGSTOP),
            Ok(libc::SIGUSR2) => sys::signal_all(libc::SIGCONT),
            _ => {}
        }
    }
}

/// Removes what has ended; the wait status of the program, once it has.
fn reap(program: Pid) -> Option<i32> {
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == program {
            return Some(status.as_raw());
        }
    }
    None
}
