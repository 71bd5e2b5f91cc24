//! Where no instance gets, whatever it may reach otherwise: this host, and the services that clouds offer to a machine
//! about itself.
//!
//! Owns the list. Rules stand in the network namespace of an instance before user code starts; it has no capability
//! to take them away. They come after the kernel's table of local addresses (priority 0) and before all routes, so
//! that the instance's own loopback device stays reachable, and nothing that leaves by another one goes to a loopback
//! address of the host.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::device::{INET, INET6, add_prohibition};
use super::netlink::{Batch, Netlink};

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix {
    pub(crate) address: IpAddr,
    pub(crate) bits: u8,
}

const PROHIBITED: &[Prefix] = &[
    // "This network" and loopback (RFC 6890): a packet to them that leaves by another device would be taken by the
    // process outside as one for the host itself.
    v4([0, 0, 0, 0], 8),
    v4([127, 0, 0, 0], 8),
    // Link-local (RFC 3927): the metadata address of nearly every cloud, 169.254.169.254, is in it.
    v4([169, 254, 0, 0], 16),
    // Metadata of Alibaba Cloud, Oracle Cloud (older) and the host agent of Azure, from their manuals.
    v4([100, 100, 100, 200], 32),
    v4([192, 0, 0, 192], 32),
    v4([168, 63, 129, 16], 32),
    // Everybody on the link.
    v4([255, 255, 255, 255], 32),
    // Unspecified, loopback and IPv4-mapped (RFC 4291).
    v6([0, 0, 0, 0, 0, 0, 0, 0], 32),
    // Link-local and site-local.
    v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 9),
    // Metadata of AWS, Google Cloud and Scaleway, from their manuals.
    v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 128),
    v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128),
    v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128),
    // The IPv4 addresses above as a NAT64 gateway shows them (RFC 6052).
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0x7f00, 0], 104),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0xa9fe, 0], 112),
    v6([0x64, 0xff9b, 0, 0, 0, 0, 0x6464, 0x64c8], 128),
];

const fn v4(octets: [u8; 4], bits: u8) -> Prefix {
    Prefix { address: IpAddr::V4(Ipv4Addr::new(octets[0], octets[1], octets[2], octets[3])), bits }
}

const fn v6(s: [u16; 8], bits: u8) -> Prefix {
    Prefix { address: IpAddr::V6(Ipv6Addr::new(s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7])), bits }
}

/// All that is prohibited, the addresses of `host` included.
pub(super) fn all(host: &[Prefix]) -> impl Iterator<Item = Prefix> {
    PROHIBITED.iter().chain(host).copied()
}

/// Adds the prohibitions.
pub(super) fn add(batch: &mut Batch, host: &[Prefix]) {
    for (prefix, priority) in all(host).zip(1..) {
        add_prohibition(batch, prefix.address, prefix.bits, priority);
    }
}

/// The addresses that are local in the network namespace of the calling thread.
///
/// # Errors
/// The kernel's.
pub(super) fn local_addresses() -> io::Result<Vec<Prefix>> {
    let netlink = Netlink::open_strict()?;
    let mut found = Vec::new();
    for family in [INET, INET6] {
        let request = local_routes(family);
        netlink.dump(libc::RTM_GETROUTE, &request, |answer| found.extend(local_route(answer.body)))?;
    }
    Ok(found)
}

/// `struct rtmsg` that asks for the routes of type local in the table of local addresses.
fn local_routes(family: u8) -> [u8; 12] {
    [family, 0, 0, 0, libc::RT_TABLE_LOCAL, 0, 0, libc::RTN_LOCAL, 0, 0, 0, 0]
}

/// The destination of a route of type local.
fn local_route(body: &[u8]) -> Option<Prefix> {
    let (fixed, attributes) = body.split_at_checked(12)?;
    if fixed[7] != libc::RTN_LOCAL {
        return None;
    }
    let octets = super::netlink::find_attribute(attributes, libc::RTA_DST)?;
    let address = match octets.len() {
        4 => IpAddr::from(*octets.first_chunk::<4>()?),
        _ => IpAddr::from(*octets.first_chunk::<16>()?),
    };
    Some(Prefix { address, bits: fixed[1] })
}
