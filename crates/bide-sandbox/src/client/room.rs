//! Reaching into a running sandbox: signals and connections.
//!
//! Signals go straight to process 1 by its descriptor, which can never mean another process: SIGKILL ends everything in
//! the sandbox, SIGTERM is passed on by process 1.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as StdTcpStream};
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Signal, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpSocket, TcpStream};

use super::link::Link;
use crate::process::{Connecting, Control};
use crate::{protocol, sys};

/// A sandbox in which a program runs.
pub(super) struct Room {
    init: OwnedFd,
    connector: AsyncFd<OwnedFd>,
    /// One question at a time.
    turn: tokio::sync::Mutex<()>,
    /// Keeps the supervisor.
    _link: Link,
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Room").field("init", &self.init).finish_non_exhaustive()
    }
}

impl Room {
    /// Takes over the descriptors of `Report::Started`; also the number of the program's process in this namespace.
    pub(super) fn new(descriptors: Vec<OwnedFd>, link: Link) -> io::Result<(u32, Self)> {
        let [init, program, connector] = <[OwnedFd; 3]>::try_from(descriptors)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "descriptors are missing"))?;
        rustix::io::ioctl_fionbio(&connector, true)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: an `OwnedFd` keeps its descriptor open and the same until it is dropped.
        let connector = unsafe { AsyncFd::register_with_interest(connector, interest) }?;
        let room = Self { init, connector, turn: tokio::sync::Mutex::new(()), _link: link };
        Ok((sys::number_of(&program).map_or(0, |pid| pid.as_raw_nonzero().get().unsigned_abs()), room))
    }

    /// A new socket of the sandbox's network.
    async fn socket(&self) -> io::Result<OwnedFd> {
        let _turn = self.turn.lock().await;
        // A caller that gave up left its answer behind: as good as a new one.
        if let Some(socket) = receive_socket(self.connector.get_ref())? {
            return Ok(socket);
        }
        let ask = |connector: &OwnedFd| protocol::send_bytes(connector.as_fd(), &[0], &[]);
        self.connector.async_io(Interest::WRITABLE, ask).await?;
        let answer = |connector: &OwnedFd| {
            receive_socket(connector)?.ok_or_else(|| io::Error::from(io::ErrorKind::WouldBlock))
        };
        self.connector.async_io(Interest::READABLE, answer).await
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
            let socket = StdTcpStream::from(self.socket().await?);
            let stream: io::Result<TcpStream> = TcpSocket::from_std_stream(socket)
                .connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
                .await;
            stream
        })
    }
}

/// The socket in a packet that has come; `None` if none has.
fn receive_socket(connector: &OwnedFd) -> io::Result<Option<OwnedFd>> {
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut buffer = [io::IoSliceMut::new(&mut byte)];
    match recvmsg(connector, &mut buffer, &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
        Err(rustix::io::Errno::AGAIN) => return Ok(None),
        Err(error) => return Err(error.into()),
        Ok(received) if received.bytes == 0 => return Err(io::ErrorKind::ConnectionRefused.into()),
        Ok(_) => {}
    }
    let mut sockets = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    });
    let socket = sockets.next();
    socket.map(Some).ok_or_else(|| io::Error::other("the sandbox can open no more sockets"))
}
