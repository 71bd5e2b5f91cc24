//! Just enough of rtnetlink (RFC 3549, `rtnetlink(7)`) to set up the network of an instance.
//!
//! Owns the encoding of requests and the reading of answers. Never decides what is set up. The kernel is the only
//! peer, yet lengths in its answers are checked all the same. Leaves nothing: all of it ends with the namespace.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, socket_with};

/// Larger than any part of a list that the kernel puts into one datagram (`NLMSG_GOODSIZE`, at most 32 KiB).
const LIST_BYTES_MAX: usize = 64 * 1024;
/// Larger than any refusal, which repeats its request. Process 1 of every instance keeps what it has touched.
const OUTCOME_BYTES_MAX: usize = 2 * 1024;
/// Messages read at once of what was told; the rest is read the next time.
const NEWS_MAX: usize = 1024;
/// `struct nlmsghdr`.
const HEADER_BYTES: usize = 16;
/// `sizeof(int)`, for options of a socket.
const INT_BYTES: libc::socklen_t = 4;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const REQUEST: u16 = 0x001;
const ACK: u16 = 0x004;
const DUMP: u16 = 0x300;

/// A socket of the routing family, in the network namespace of the thread that opened it.
#[derive(Debug)]
pub(super) struct Netlink {
    socket: OwnedFd,
}

/// Requests that are sent together. The kernel takes them in order; it answers those that it refuses, and the last that
/// wants an answer.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Where the last one begins that is to be acknowledged.
    last: Option<usize>,
}

/// One answer of a dump: its type, and what follows the header.
pub(super) struct Answer<'a> {
    pub(super) kind: u16,
    pub(super) body: &'a [u8],
}

impl Netlink {
    /// Of the routing family.
    pub(super) fn open() -> io::Result<Self> {
        Self::open_family(None)
    }

    pub(super) fn open_family(family: Option<Protocol>) -> io::Result<Self> {
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, family)?;
        Ok(Self { socket })
    }

    /// Hears what the kernel tells `groups` (bits) from now on.
    pub(super) fn subscribe(groups: u32) -> io::Result<Self> {
        let netlink = Self::open()?;
        rustix::net::bind(&netlink.socket, &SocketAddrNetlink::new(0, groups))?;
        Ok(netlink)
    }

    /// Whether anything was told since this was asked last.
    pub(super) fn has_news(&self) -> bool {
        let mut news = false;
        for _ in 0..NEWS_MAX {
            let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
            match rustix::net::recv(&self.socket, &mut [0_u8; 1][..], flags) {
                Ok(_) => news = true,
                Err(rustix::io::Errno::AGAIN) => return news,
                // More was told than the socket could hold, or nobody knows.
                Err(_) => return true,
            }
        }
        true
    }

    /// Like [`Netlink::open`]; dumps then list only what matches the fixed part of the request.
    pub(super) fn open_strict() -> io::Result<Self> {
        let netlink = Self::open()?;
        let on: libc::c_int = 1;
        // SAFETY: the kernel reads one integer, which outlives the call.
        let set = unsafe {
            libc::setsockopt(
                netlink.socket.as_raw_fd(),
                libc::SOL_NETLINK,
                libc::NETLINK_GET_STRICT_CHK,
                (&raw const on).cast(),
                INT_BYTES,
            )
        };
        if set < 0 { Err(io::Error::last_os_error()) } else { Ok(netlink) }
    }

    /// Has the kernel do all of `batch`, on a socket that nobody uses afterwards.
    ///
    /// # Errors
    /// The first refusal; what came after it may have been done.
    pub(super) fn commit(self, mut batch: Batch) -> io::Result<()> {
        let Some(last) = batch.last else { return Ok(()) };
        let flags = &mut batch.bytes[last + 6..last + 8];
        let with_ack = u16::from_ne_bytes([flags[0], flags[1]]) | ACK;
        flags.copy_from_slice(&with_ack.to_ne_bytes());
        rustix::net::send(&self.socket, &batch.bytes, SendFlags::empty())?;
        let mut end = None;
        let mut buffer = [0; OUTCOME_BYTES_MAX];
        while end.is_none() {
            // Refusals come before the acknowledgement, and no request but the last has one.
            self.receive(&mut buffer, |answer| {
                if answer.kind == ERROR && end.is_none() {
                    end = Some(outcome(answer.body));
                }
            })?;
        }
        end.unwrap_or(Ok(()))
    }

    /// Asks for a list and gives `seen` each entry. `request` is the message of a `RTM_GET...` type.
    pub(super) fn dump(
        &self,
        kind: u16,
        request: &[u8],
        mut seen: impl FnMut(&Answer<'_>),
    ) -> io::Result<()> {
        let message = message(kind, REQUEST | DUMP, request, &[]);
        rustix::net::send(&self.socket, &message, SendFlags::empty())?;
        let mut end = None;
        let mut buffer = vec![0; LIST_BYTES_MAX];
        while end.is_none() {
            self.receive(&mut buffer, |answer| match answer.kind {
                DONE => end = Some(Ok(())),
                ERROR => end = Some(outcome(answer.body)),
                _ => seen(answer),
            })?;
        }
        end.unwrap_or(Ok(()))
    }

    /// Hands over what one datagram holds.
    fn receive(&self, buffer: &mut [u8], mut seen: impl FnMut(&Answer<'_>)) -> io::Result<()> {
        let (received, whole) =
            rustix::io::retry_on_intr(|| rustix::net::recv(&self.socket, &mut buffer[..], RecvFlags::TRUNC))?;
        if whole > received {
            return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
        }
        for answer in Messages(&buffer[..received]) {
            seen(&answer);
        }
        Ok(())
    }
}

impl Batch {
    /// Adds a request that is not acknowledged.
    pub(super) fn add_silent(&mut self, kind: u16, fixed: &[u8]) {
        self.bytes.extend(message(kind, REQUEST, fixed, &[]));
    }

    /// Adds a request: type, flags beside those every request has, fixed part, attributes.
    pub(super) fn add(&mut self, kind: u16, flags: u16, fixed: &[u8], attributes: &[u8]) {
        self.last = Some(self.bytes.len());
        self.bytes.extend(message(kind, REQUEST | flags, fixed, attributes));
    }
}

/// One attribute, padded as the next one wants it.
pub(super) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(aligned(4 + value.len()));
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(aligned(bytes.len()), 0);
    bytes
}

/// The value of the first attribute of type `kind` among `attributes`.
pub(super) fn find_attribute(mut attributes: &[u8], kind: u16) -> Option<&[u8]> {
    while let Some((head, _)) = attributes.split_at_checked(4) {
        let length = usize::from(u16::from_ne_bytes([head[0], head[1]]));
        let value = attributes.get(4..length)?;
        if u16::from_ne_bytes([head[2], head[3]]) == kind {
            return Some(value);
        }
        attributes = attributes.get(aligned(length)..)?;
    }
    None
}

pub(super) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn message(kind: u16, flags: u16, fixed: &[u8], attributes: &[u8]) -> Vec<u8> {
    let length = HEADER_BYTES + aligned(fixed.len()) + attributes.len();
    let mut bytes = Vec::with_capacity(aligned(length));
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    // Sequence and port: answers come in order, to this socket only.
    bytes.extend([0; 8]);
    bytes.extend(fixed);
    bytes.resize(HEADER_BYTES + aligned(fixed.len()), 0);
    bytes.extend(attributes);
    bytes.resize(aligned(length), 0);
    bytes
}

/// What an `NLMSG_ERROR` says: zero acknowledges.
fn outcome(body: &[u8]) -> io::Result<()> {
    let code = body.first_chunk::<4>().map_or(-libc::EBADMSG, |bytes| i32::from_ne_bytes(*bytes));
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) }
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// Takes a datagram apart; ends at the first message that does not fit.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Answer<'a>;

    fn next(&mut self) -> Option<Answer<'a>> {
        let length = usize::try_from(u32::from_ne_bytes(*self.0.first_chunk::<4>()?)).ok()?;
        let body = self.0.get(HEADER_BYTES..length)?;
        let kind = u16::from_ne_bytes([self.0[4], self.0[5]]);
        self.0 = self.0.get(aligned(length)..).unwrap_or_default();
        Some(Answer { kind, body })
    }
}

#[cfg(test)]
mod tests;
