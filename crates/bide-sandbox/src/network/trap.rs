//! The trap: a device that stands for the outside until the first packet for it comes.
//!
//! Owns the device's set-up inside the instance, and moving what it caught to the real one. A trap costs three
//! descriptors; the process that carries packets outside costs tens of megabytes and milliseconds, and most instances
//! of most functions never send one. Packets wait in the device's queue, which is bounded by the kernel (500).
//! Everything in them is hostile: they are judged by their destination only, and go back to the network that they came
//! from. The device ends when its descriptor is closed, its addresses and routes with it.

use std::fs::File;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType};

use super::netlink::{Batch, Netlink};
use super::surroundings::{Families, Surroundings};
use super::{device, filter, prohibited};

/// The instance's addresses: of those that IANA keeps for hosts behind a translation of addresses (RFC 7335), and a
/// unique local one (RFC 4193), which makes programs prefer IPv4 where a name has both.
pub(super) const ADDRESS_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 2);
pub(super) const ADDRESS_V6: Ipv6Addr = Ipv6Addr::new(0xfd62, 0x6964, 0x6500, 0, 0, 0, 0, 2);

/// As large as the device of pasta, so that connections made through the trap are as good as later ones.
const PACKET_BYTES_MAX: u32 = 65520;
/// Loses against the routes that pasta makes (0 for IPv4, 1024 for IPv6).
const METRIC: u32 = 4096;
/// Packets of the kernel's own making, and noise of user code, that are dropped before one of them counts.
const DROPPED_MAX: u32 = 64;
/// `IFF_TUN | IFF_NO_PI` (`linux/if_tun.h`).
const IP_PACKETS_ONLY: libc::c_short = 0x1001;
const DEVICE_NAME: &str = "trap0";

/// The outside's ends of the device; made inside, held by the supervisor.
#[derive(Debug)]
pub(crate) struct Trap {
    device: File,
    /// One for each family in use: send a whole packet from inside the instance's network.
    senders: Vec<OwnedFd>,
    dropped: u32,
}

/// Sets up the network of an instance that may reach others: what is prohibited, and the trap. Runs inside, with
/// capabilities over its network namespace, while `/dev/net/tun` of the host can still be opened.
///
/// # Errors
/// The kernel's. `None`: the host has no way out.
pub(crate) fn lay_trap(surroundings: &Surroundings) -> io::Result<Option<Trap>> {
    let families = surroundings.families;
    if !families.v4 && !families.v6 {
        return Ok(None);
    }
    filter::install(prohibited::all(&surroundings.host))?;
    let device = File::options().read(true).write(true).open("/dev/net/tun")?;
    let index = make_device(&device)?;
    let mut batch = Batch::default();
    prohibited::add(&mut batch, &surroundings.host);
    device::add_settings(&mut batch, index, PACKET_BYTES_MAX);
    device::add_up(&mut batch, index);
    let mut senders = Vec::with_capacity(2);
    for address in [IpAddr::from(ADDRESS_V4), ADDRESS_V6.into()] {
        if families.include(address) {
            device::add_address(&mut batch, index, address);
            device::add_default_route(&mut batch, index, address, METRIC);
            senders.push(open_sender(address)?);
        }
    }
    Netlink::open()?.commit(batch)?;
    Ok(Some(Trap { device, senders, dropped: 0 }))
}

impl Trap {
    /// For sending it from inside to the supervisor.
    pub(crate) fn into_fds(self) -> Vec<OwnedFd> {
        let mut fds = vec![self.device.into()];
        fds.extend(self.senders);
        fds
    }

    /// The reverse of [`Trap::into_fds`]; `None` if there is no descriptor.
    pub(crate) fn from_fds(fds: Vec<OwnedFd>) -> Option<Self> {
        let mut fds = fds.into_iter();
        let device = fds.next()?.into();
        Some(Self { device, senders: fds.collect(), dropped: 0 })
    }

    /// Readable when something was caught.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }

    /// Takes packets until one is for another host; `None` if there is none.
    pub(super) fn first_caught(&mut self) -> io::Result<Option<Vec<u8>>> {
        while let Some(packet) = self.next()? {
            if is_for_one_host(&packet) || self.dropped >= DROPPED_MAX {
                return Ok(Some(packet));
            }
            self.dropped += 1;
        }
        Ok(None)
    }

    /// Sends `first` and all that waits again, by the routes that hold now. What cannot be sent is lost, as packets may be.
    pub(super) fn release(&self, first: &[u8], families: Families) {
        self.resend(first, families);
        while let Ok(Some(packet)) = self.next() {
            self.resend(&packet, families);
        }
    }

    fn resend(&self, packet: &[u8], families: Families) {
        let Some(destination) = destination(packet) else { return };
        let sender = match (destination, families.v4) {
            (IpAddr::V6(_), true) => self.senders.get(1),
            _ => self.senders.first(),
        };
        if let Some(sender) = sender {
            let _ =
                rustix::net::sendto(sender, packet, SendFlags::DONTWAIT, &SocketAddr::new(destination, 0));
        }
    }

    fn next(&self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; PACKET_BYTES_MAX as usize];
        match rustix::io::read(&self.device, &mut buffer[..]) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(Some(buffer))
            }
            Err(rustix::io::Errno::AGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// Turns an open `/dev/net/tun` into a device that carries IP packets, and returns its index.
fn make_device(tun: &File) -> io::Result<i32> {
    // SAFETY: all zeros is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(DEVICE_NAME.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    request.ifr_ifru.ifru_flags = IP_PACKETS_ONLY;
    // SAFETY: the kernel reads and writes one `ifreq`, which outlives the call.
    if unsafe { libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw mut request) } < 0 {
        return Err(io::Error::last_os_error());
    }
    rustix::io::ioctl_fionbio(tun, true)?;
    let socket = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let index = rustix::net::netdevice::name_to_index(&socket, DEVICE_NAME)?;
    i32::try_from(index).map_err(io::Error::other)
}

fn open_sender(address: IpAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let protocol = rustix::net::ipproto::RAW;
    // This protocol means that the packet's header is there already (`raw(7)`).
    Ok(rustix::net::socket_with(family, SocketType::RAW, SocketFlags::CLOEXEC, Some(protocol))?)
}

/// The destination of an IP packet (RFC 791, RFC 8200).
fn destination(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(IpAddr::from(*packet.get(16..)?.first_chunk::<4>()?)),
        6 => Some(IpAddr::from(*packet.get(24..)?.first_chunk::<16>()?)),
        _ => None,
    }
}

fn is_for_one_host(packet: &[u8]) -> bool {
    destination(packet).is_some_and(|address| !address.is_multicast())
}

#[cfg(test)]
mod tests;
