//! Which addresses an endpoint may have: those of the public internet.
//!
//! Owns the list of networks that are not public (IANA special-purpose registries of IPv4 and IPv6, RFC 6890), with the
//! one public address by which a cloud speaks to its own machines.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

struct V4(Ipv4Addr, u32);
struct V6(Ipv6Addr, u32);

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u32) -> V4 {
    V4(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, c: u16, bits: u32) -> V6 {
    V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), bits)
}

const NOT_PUBLIC_V4: &[V4] = &[
    v4(0, 0, 0, 0, 8),        // this network
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // shared by carriers; metadata of Alibaba Cloud
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // host agent of Azure
    v4(169, 254, 0, 0, 16),   // link-local; metadata of nearly every cloud
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 88, 99, 0, 24),   // former relays from IPv6
    v4(192, 168, 0, 0, 16),   // private
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 3),      // multicast, reserved, broadcast
];

/// Whatever lies outside of `2000::/3` is not public either, the addresses with an IPv4 one inside apart.
const NOT_PUBLIC_V6: &[V6] = &[
    v6(0x2001, 0, 0, 23),     // protocol assignments, Teredo among them
    v6(0x2001, 0xdb8, 0, 32), // documentation
    v6(0x2002, 0, 0, 16),     // 6to4: an IPv4 address of anybody inside
    v6(0x3fff, 0, 0, 20),     // documentation
];

/// Whether an address is one of the public internet.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match inner_v4(address) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(address),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let inside = |V4(network, bits): &V4| {
        let shift = 32 - bits;
        u32::from(address) >> shift == u32::from(*network) >> shift
    };
    !NOT_PUBLIC_V4.iter().any(inside)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let inside = |V6(network, bits): &V6| {
        let shift = 128 - bits;
        u128::from(address) >> shift == u128::from(*network) >> shift
    };
    address.segments()[0] & 0xe000 == 0x2000 && !NOT_PUBLIC_V6.iter().any(inside)
}

/// The IPv4 address that a mapped one, or one of a NAT64 gateway (RFC 6052), leads to.
fn inner_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return Some(mapped);
    }
    let nat64 = address.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let [.., a, b, c, d] = address.octets();
    nat64.then(|| Ipv4Addr::new(a, b, c, d))
}

#[cfg(test)]
mod tests;
