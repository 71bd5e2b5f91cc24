//! Reaching into a running sandbox: signals and connections.
//!
//! Signals go straight to process 1 by its descriptor, which can never mean another process: SIGKILL ends everything in
//! the sandbox, SIGTERM is passed on by process 1.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdTcpStream};
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpSocket, TcpStream};

use super::link::Link;
use crate::process::{Connecting, Control};
use crate::protocol::{self, Ask, Handed, Question};
use crate::sys;

/// An answer of process 1 is a few bytes.
const HANDED_BYTES_MAX: usize = 64;

/// A sandbox in which a program runs.
pub(super) struct Room {
    init: OwnedFd,
    connector: AsyncFd<OwnedFd>,
    /// Questions asked so far; one at a time.
    asked: tokio::sync::Mutex<u32>,
    /// Keeps the supervisor.
    _link: Link,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("init", &self.init).finish_non_exhaustive()
    }
}

impl Room {
    /// Takes over the descriptors of `Report::Started`; also the number of the program's process in this namespace. Without
    /// all of them the sandbox ends, since its connector is closed.
    pub(super) fn new(descriptors: Vec<OwnedFd>, link: Link) -> io::Result<(u32, Self)> {
        let [init, program, connector] =
            <[OwnedFd; 3]>::try_from(descriptors).map_err(|_| protocol::lacks_descriptors())?;
        rustix::io::ioctl_fionbio(&connector, true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: an `OwnedFd` keeps its descriptor open and the same until it is dropped.
        let connector = unsafe { AsyncFd::register_with_interest(connector, interest) }?;
        let room = Self { init, connector, asked: tokio::sync::Mutex::new(0), _link: link };
        Ok((sys::number_of(&program).map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs()), room))
    }

    /// Asks process 1 for a socket.
    async fn ask(&self, question: Question) -> io::Result<StdTcpStream> {
        let mut asked = self.asked.lock().await;
        *asked = asked.wrapping_add(1);
        let ask = protocol::encode(&Ask { number: *asked, question })?;
        let ask = |connector: &OwnedFd| protocol::send_bytes(connector.as_fd(), &ask, &[]);
        self.connector.async_io(Interest::WRITABLE, ask).await?;
        loop {
            let mut buffer = [0; HANDED_BYTES_MAX];
            let answer = |connector: &OwnedFd| protocol::receive::<Handed>(connector, &mut buffer);
            let answer = self.connector.async_io(Interest::READABLE, answer).await?;
            let (Handed { number }, mut sockets) = answer.ok_or(io::ErrorKind::ConnectionRefused)?;
            // A caller that gave up left its answer behind.
            if number == *asked {
                let socket =
                    sockets.pop().ok_or_else(|| io::Error::other("the sandbox can open no more sockets"));
                return socket.map(StdTcpStream::from);
            }
        }
    }
}

/// What these signals ask of process 1 of an instance.
const FREEZE: Signal = Signal::USR1;
const THAW: Signal = Signal::USR2;

impl Control for Room {
    fn signal(&self, signal: Signal) {
        // Fails only when it has ended.
        let _ = pidfd_send_signal(&self.init, signal);
    }

    fn freeze(&self) {
        self.signal(FREEZE);
    }

    fn thaw(&self) {
        self.signal(THAW);
    }

    fn connect(&self, port: u16) -> Connecting<'_> {
        Box::pin(async move {
            let socket = TcpSocket::from_std_stream(self.ask(Question::Socket).await?);
            socket.connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
        })
    }

    fn connect_to_listener(&self, port: u16) -> Connecting<'_> {
        Box::pin(async move { TcpStream::from_std(self.ask(Question::Connection { port }).await?) })
    }
}
