//! Processes that close what takes the kernel long to take apart.
//!
//! When the last descriptor of a network device is closed, the kernel waits until every CPU has passed a safe point: tens
//! of milliseconds, in which the supervisor would serve nobody. It hands such descriptors over instead. Owns their only
//! socket; they end when the supervisor does, and what was under way is closed then as well.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{RecvAncillaryBuffer, RecvFlags, SocketFlags, recvmsg};

use crate::capabilities::drop_all;
use crate::protocol::{self, DESCRIPTORS_MAX};
use crate::sys::{self, Cloned};

/// Who wait for the kernel wait together, so several are faster than one.
const PROCESSES: usize = 4;

/// The socket to them.
pub(super) struct Undertaker(OwnedFd);

impl Undertaker {
    /// Clones the processes, which stay children of the caller.
    pub(super) fn start() -> io::Result<Self> {
        let (ours, theirs) = protocol::pair(SocketFlags::empty())?;
        for _ in 0..PROCESSES {
            if let Cloned::Child = sys::clone(0)? {
                work(&theirs)
            }
        }
        rustix::io::ioctl_fionbio(&ours, true)?;
        Ok(Self(ours))
    }

    /// Has descriptors closed that nobody else holds. When too many wait already, this waits for the kernel itself.
    pub(super) fn bury(&self, descriptors: &[OwnedFd]) {
        for some in descriptors.chunks(DESCRIPTORS_MAX) {
            let some: Vec<BorrowedFd<'_>> = some.iter().map(AsFd::as_fd).collect();
            // On failure the caller's are the last ones.
            let _ = protocol::send_bytes(self.0.as_fd(), &[0], &some);
        }
    }
}

/// Closes what comes until the supervisor is gone.
fn work(socket: &OwnedFd) -> ! {
    if sys::close_all_but(&mut [socket.as_raw_fd()]).is_err() || drop_all().is_err() {
        sys::exit(1);
    }
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        match recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, RecvFlags::CMSG_CLOEXEC) {
            // Dropping the buffer closes what came with it.
            Ok(message) if message.bytes > 0 => {}
            Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => sys::exit(0),
        }
    }
}
