//! Processes that close what takes the kernel long to take apart.
//!
//! When the last descriptor of a network device is closed, the kernel waits until every CPU has passed a safe point: tens
//! of milliseconds, in which the supervisor would serve nobody. It hands such descriptors over instead. Owns the sockets
//! to these processes; they end when the supervisor does, and what was under way is closed then as well.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketFlags, recvmsg};

use crate::capabilities::drop_all;
use crate::protocol::{self, DESCRIPTORS_MAX};
use crate::sys::{self, Cloned};

/// Those who wait for the kernel at the same time wait together, so two are faster than one.
const PROCESSES: usize = 2;

pub(super) struct Undertaker {
    /// One to each process; never empty.
    sockets: Vec<OwnedFd>,
    next: usize,
}

impl Undertaker {
    /// Clones the processes, which stay children of the caller.
    pub(super) fn start() -> io::Result<Self> {
        let start = || {
            let (ours, theirs) = protocol::pair(SocketFlags::empty())?;
            match sys::clone(0)? {
                Cloned::Child => work(&theirs),
                Cloned::Parent(..) => rustix::io::ioctl_fionbio(&ours, true)?,
            }
            Ok(ours)
        };
        Ok(Self { sockets: (0..PROCESSES).map(|_| start()).collect::<io::Result<_>>()?, next: 0 })
    }

    /// Has descriptors closed that nobody else holds. When too many wait already, the caller waits for the kernel.
    pub(super) fn bury(&mut self, descriptors: Vec<OwnedFd>) {
        let socket = self.sockets[self.next].as_fd();
        self.next = (self.next + 1) % self.sockets.len();
        for some in descriptors.chunks(DESCRIPTORS_MAX) {
            let some: Vec<BorrowedFd<'_>> = some.iter().map(AsFd::as_fd).collect();
            // On failure the caller's are the last ones.
            let _ = protocol::send_bytes(socket, &[0], &some);
        }
        drop(descriptors);
        // Now theirs are the last ones. A failure only puts that off until the next time.
        let _ = protocol::send_bytes(socket, &[0], &[]);
    }
}

/// Closes what comes, once a message without descriptors follows, until the supervisor is gone.
fn work(socket: &OwnedFd) -> ! {
    if sys::close_all_but(&mut [socket.as_raw_fd()]).is_err() || drop_all().is_err() {
        sys::exit(1);
    }
    let mut held = Vec::new();
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        match recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            Ok(message) if message.bytes > 0 => {}
            Err(rustix::io::Errno::INTR) => continue,
            Ok(_) | Err(_) => sys::exit(0),
        }
        let before = held.len();
        for message in ancillary.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = message {
                held.extend(rights);
            }
        }
        if held.len() == before {
            held.clear();
        }
    }
}
