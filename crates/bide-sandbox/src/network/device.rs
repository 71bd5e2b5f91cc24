//! Devices, addresses and routes: one function per request.
//!
//! Owns the fixed parts of the messages (`struct ifinfomsg`, `ifaddrmsg`, `rtmsg` of `rtnetlink(7)`).

use std::net::IpAddr;

use super::netlink::{Batch, attribute, octets};

/// `AF_INET`, `AF_INET6`, as wide as messages have them.
pub(super) const INET: u8 = 2;
pub(super) const INET6: u8 = 10;
const UP: u32 = 1;
/// `IFLA_INET6_ADDR_GEN_MODE` and its value for "none" (`linux/if_link.h`).
const ADDR_GEN_MODE: u16 = 8;
const ADDR_GEN_MODE_NONE: u8 = 1;
/// `IFA_F_NODAD`: usable at once, without asking whether somebody else has it.
const NO_DUPLICATE_DETECTION: u8 = 2;
const CREATE_EXCLUSIVELY: u16 = 0x400 | 0x200;
/// `FR_ACT_PROHIBIT` and the attributes of a rule (`linux/fib_rules.h`).
const PROHIBIT: u8 = 8;
const RULE_DESTINATION: u16 = 1;
const RULE_PRIORITY: u16 = 6;

pub(super) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { INET } else { INET6 }
}

pub(super) fn add_up(batch: &mut Batch, index: i32) {
    batch.add(libc::RTM_NEWLINK, 0, &link(index, UP, UP), &[]);
}

/// Sets the size of a device's packets and keeps the kernel from giving it an IPv6 address of its own, which would
/// have it send packets that nobody asked for.
pub(super) fn add_settings(batch: &mut Batch, index: i32, mtu: u32) {
    let mode = attribute(ADDR_GEN_MODE, &[ADDR_GEN_MODE_NONE]);
    let family = attribute(INET6.into(), &mode);
    let mut attributes = attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
    attributes.extend(attribute(libc::IFLA_AF_SPEC, &family));
    batch.add(libc::RTM_NEWLINK, 0, &link(index, 0, 0), &attributes);
}

/// Gives a device an address without a network around it.
pub(super) fn add_address(batch: &mut Batch, index: i32, address: IpAddr) {
    let octets = octets(address);
    let bits = if address.is_ipv4() { 32 } else { 128 };
    let mut fixed = vec![family(address), bits, NO_DUPLICATE_DETECTION, libc::RT_SCOPE_UNIVERSE];
    fixed.extend(index.to_ne_bytes());
    let mut attributes = attribute(libc::IFA_LOCAL, &octets);
    attributes.extend(attribute(libc::IFA_ADDRESS, &octets));
    batch.add(libc::RTM_NEWADDR, CREATE_EXCLUSIVELY, &fixed, &attributes);
}

/// Sends all that is not local through a device, of `address`'s family. A smaller `metric` wins.
pub(super) fn add_default_route(batch: &mut Batch, index: i32, address: IpAddr, metric: u32) {
    let scope = libc::RT_SCOPE_UNIVERSE;
    let mut fixed =
        vec![family(address), 0, 0, 0, libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, scope, libc::RTN_UNICAST];
    fixed.extend(0_u32.to_ne_bytes());
    let mut attributes = attribute(libc::RTA_OIF, &index.to_ne_bytes());
    attributes.extend(attribute(libc::RTA_PRIORITY, &metric.to_ne_bytes()));
    batch.add(libc::RTM_NEWROUTE, CREATE_EXCLUSIVELY, &fixed, &attributes);
}

/// Refuses what goes to `address/bits`, by a rule and not by a route: for IPv6 a rule holds as well for sockets that are
/// bound to a device (for IPv4 see [`super::filter`]).
pub(super) fn add_prohibition(batch: &mut Batch, address: IpAddr, bits: u8, priority: u32) {
    let fixed = [family(address), bits, 0, 0, 0, 0, 0, PROHIBIT, 0, 0, 0, 0];
    let mut attributes = attribute(RULE_DESTINATION, &octets(address));
    attributes.extend(attribute(RULE_PRIORITY, &priority.to_ne_bytes()));
    batch.add(libc::RTM_NEWRULE, CREATE_EXCLUSIVELY, &fixed, &attributes);
}

fn link(index: i32, flags: u32, change: u32) -> [u8; 16] {
    let mut fixed = [0; 16];
    fixed[4..8].copy_from_slice(&index.to_ne_bytes());
    fixed[8..12].copy_from_slice(&flags.to_ne_bytes());
    fixed[12..16].copy_from_slice(&change.to_ne_bytes());
    fixed
}
