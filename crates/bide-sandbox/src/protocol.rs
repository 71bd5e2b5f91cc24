//! Messages between the server, the supervisor and process 1 of an instance.
//!
//! One message is one packet of a `SOCK_SEQPACKET` socket: a postcard-encoded value and the descriptors that go with it.
//! None of these sockets is ever in reach of user code. All are bounded.

use std::ffi::CString;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::network::Outbound;
use crate::spec::{Limits, Network};

/// Largest message; a launch carries the command line and the environment.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Most descriptors that one message carries.
pub(crate) const DESCRIPTORS_MAX: usize = 4;

/// From the server to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// With the writing end of the outputs, and the control socket if [`Launch::has_control`].
    Launch { id: u64, launch: Box<Launch> },
    /// What a running standby is for.
    Adopt { id: u64, late: Box<Late> },
}

/// From the supervisor to the server.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// The supervisor can make sandboxes. The first message.
    Ready { privileged: bool, confined: Confined, outbound: Outbound },
    /// It cannot. The first message, and the last.
    Unable(Fault),
    /// With descriptors of process 1 and of the program's process, and the connector (see [`crate::init`]).
    Started { id: u64 },
    /// Nothing is left of it.
    Failed { id: u64, fault: Fault },
    /// The answer to `Adopt`, unless the standby is gone. After a fault it is of no use.
    Adopted { id: u64, fault: Option<Fault> },
    /// Process 1 and everything in the sandbox is gone. Follows `Started`.
    Exited { id: u64, end: End },
}

/// From process 1 of an instance to the supervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum InitReport {
    /// There is a way out to be made. With the descriptors of a [`crate::network::Trap`].
    Trap,
    /// There is none: this kernel does not allow what it needs. The instance has loopback only.
    NoWayOut(Fault),
    /// The program runs. With a descriptor of its process.
    Started,
    /// The last message.
    Failed(Fault),
    /// The program's process has ended with this wait status. The last message.
    Ended { status: i32 },
}

/// From the server to process 1 of an instance, over the connector.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ask {
    /// Given back with the answer.
    pub(crate) number: u32,
    pub(crate) question: Question,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// For a TCP socket of the instance's network.
    Socket,
    /// For a connection to a port of the instance, once somebody listens there.
    Connection { port: u16 },
}

/// The answer, with the socket; without one if there was none to be had.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Handed {
    pub(crate) number: u32,
}

/// What bounds instances on this host beside their namespaces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Confined {
    /// By control group; else looked at every now and then.
    pub(crate) memory: bool,
    pub(crate) cpu: bool,
    pub(crate) landlock: bool,
    /// Why something is missing.
    pub(crate) notes: Vec<String>,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct End {
    /// Wait status of its process; `None` when process 1 was killed.
    pub(crate) status: Option<i32>,
    pub(crate) out_of_memory: bool,
    pub(crate) memory_peak_bytes: u64,
}

/// What failed while a sandbox was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Fault {
    pub(crate) step: String,
    pub(crate) errno: i32,
    /// Whether the sandbox was ready and only the program could not be executed.
    pub(crate) program: bool,
}

/// [`crate::LaunchSpec`] in transit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Launch {
    pub(crate) argv: Vec<CString>,
    /// `NAME=VALUE`.
    pub(crate) env: Vec<CString>,
    pub(crate) working_dir: CString,
    pub(crate) has_control: bool,
    pub(crate) hostname: CString,
    pub(crate) mounts: Vec<Bind>,
    pub(crate) network: Network,
    pub(crate) limits: Limits,
    /// Directories that stay empty until [`Request::Adopt`], if it is a standby.
    pub(crate) slots: Option<Vec<CString>>,
}

/// [`crate::Adoption`] in transit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Late {
    pub(crate) mounts: Vec<Bind>,
    pub(crate) hostname: CString,
    pub(crate) memory_bytes_max: Option<u64>,
    pub(crate) cpu_millis: Option<u32>,
}

/// [`crate::Mount`] in transit.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Bind {
    pub(crate) source: CString,
    pub(crate) target: CString,
    pub(crate) writable: bool,
}

/// Adds to an error what was being done.
pub(crate) trait During<T> {
    fn during(self, step: &str) -> Result<T, Fault>;
}

impl<T, E: Into<io::Error>> During<T> for Result<T, E> {
    fn during(self, step: &str) -> Result<T, Fault> {
        self.map_err(|error| {
            let errno = error.into().raw_os_error().unwrap_or(libc::EIO);
            Fault { step: step.to_owned(), errno, program: false }
        })
    }
}

/// Says that a message came with fewer descriptors than it must have.
pub(crate) fn lacks_descriptors() -> io::Error {
    io::Error::from_raw_os_error(libc::EMFILE)
}

/// A pair of connected sockets for messages.
pub(crate) fn pair(flags: SocketFlags) -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags | SocketFlags::CLOEXEC, None)?)
}

/// Encodes a message.
///
/// # Errors
/// `InvalidInput` if it is too large.
pub(crate) fn encode<T: Serialize>(message: &T) -> io::Result<Vec<u8>> {
    let bytes = postcard::to_stdvec(message).map_err(io::Error::other)?;
    if bytes.len() > MESSAGE_BYTES_MAX {
        let text = format!("the launch is larger than {MESSAGE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(bytes)
}

/// Sends an encoded message.
pub(crate) fn send_bytes(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Encodes and sends a message.
pub(crate) fn send<T: Serialize>(
    socket: impl AsFd,
    message: &T,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    send_bytes(socket.as_fd(), &encode(message)?, descriptors)
}

/// Receives one message and its descriptors; `None` at the end. A process that can hold no more descriptors gets the
/// message with fewer than were sent: whoever needs them must count.
///
/// # Errors
/// `InvalidData` for what is no such message; else the kernel's.
pub(crate) fn receive<T: DeserializeOwned>(
    socket: impl AsFd,
    buffer: &mut [u8],
) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut ancillary, flags)?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    if received.flags.contains(ReturnFlags::TRUNC) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message was cut off"));
    }
    let message = postcard::from_bytes(&buffer[..received.bytes])
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Some((message, descriptors)))
}
