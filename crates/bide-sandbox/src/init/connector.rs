//! The connector: sockets of this network for the server, so that no proxy sits between server and program.
//!
//! Owns the answers, and the wait for the program to listen. The kernel tells nobody when a port begins to listen, so it
//! is tried again and again, from here: a try costs a few system calls and no turn of another process. The program is
//! hostile; all it can do is not to listen. Once nobody holds the server's end, nobody can want the instance: it ends.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
use rustix::time::{ClockId, clock_gettime};

use crate::probe_pause;
use crate::protocol::{self, Ask, Handed, Question};
use crate::sys;

/// A question is a few bytes.
const ASK_BYTES_MAX: usize = 64;

pub(super) struct Connector<'a> {
    server: &'a OwnedFd,
    wait: Option<Wait>,
}

/// For somebody to listen on a port.
struct Wait {
    number: u32,
    port: u16,
    begun: Duration,
    next: Duration,
}

impl<'a> Connector<'a> {
    pub(super) fn new(server: &'a OwnedFd) -> Self {
        Self { server, wait: None }
    }

    /// Until [`Connector::knock`] has something to do.
    pub(super) fn time_left(&self) -> Option<Timespec> {
        let left = self.wait.as_ref()?.next.saturating_sub(now());
        Timespec::try_from(left).ok()
    }

    /// To be called when the server's end is readable. Answers one question, or begins to wait for what it asks for. The server asks one at a time: another one means that
    /// it has given up the last.
    pub(super) fn hear(&mut self) {
        let mut buffer = [0; ASK_BYTES_MAX];
        match protocol::receive::<Ask>(self.server, &mut buffer) {
            Ok(Some((Ask { number, question: Question::Socket }, _))) => {
                self.wait = None;
                self.hand_out(number, open().ok());
            }
            Ok(Some((Ask { number, question: Question::Connection { port } }, _))) => {
                let now = now();
                self.wait = Some(Wait { number, port, begun: now, next: now });
            }
            Ok(None) | Err(_) => sys::exit(0),
        }
    }

    /// Tries whether somebody listens, if it is time for that.
    pub(super) fn knock(&mut self) {
        let now = now();
        let Some(wait) = self.wait.as_mut().filter(|wait| wait.next <= now) else { return };
        let number = wait.number;
        match connected(wait.port) {
            Ok(None) => wait.next = now + probe_pause(now.saturating_sub(wait.begun)),
            Ok(Some(socket)) => self.hand_out(number, Some(socket)),
            Err(_) => self.hand_out(number, None),
        }
    }

    fn hand_out(&mut self, number: u32, socket: Option<OwnedFd>) {
        self.wait = None;
        let descriptors: Vec<BorrowedFd<'_>> = socket.iter().map(AsFd::as_fd).collect();
        let send = |descriptors: &[_]| protocol::send(self.server, &Handed { number }, descriptors);
        if send(&descriptors).or_else(|_| send(&[])).is_err() {
            sys::exit(0);
        }
    }
}

fn open() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?)
}

/// A connection to `port`; `None` if nobody listens, or if so many connect that it takes time.
fn connected(port: u16) -> io::Result<Option<OwnedFd>> {
    let socket = open()?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    // What the other end says is only seen after the first call: the second one returns it.
    match connect(&socket, &address)
        .or_else(|error| if error == Errno::INPROGRESS { connect(&socket, &address) } else { Err(error) })
    {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::CONNREFUSED | Errno::ALREADY) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn now() -> Duration {
    Duration::try_from(clock_gettime(ClockId::Monotonic)).unwrap_or_default()
}
