//! The packet filter of an instance (nf_tables): drops what rules of routing cannot stop.
//!
//! The kernel takes an IPv4 destination for a neighbour when routing refuses it to a socket that is bound to a device, by
//! `SO_BINDTODEVICE` or by `IP_PKTINFO` of a single packet (`ip_route_output_key_hash_rcu` in `net/ipv4/route.c`). Without
//! the filter such a packet would reach pasta, which would connect to the host's own loopback device. Owns the encoding
//! (`linux/netfilter/nf_tables.h`); what is prohibited is the list of [`super::prohibited`]. IPv6 has no such exception.

use std::io;
use std::net::IpAddr;

use rustix::net::netlink;

use super::device::INET;
use super::netlink::{Batch, Netlink, attribute};
use super::prohibited::Prefix;

/// `NFNL_SUBSYS_NFTABLES`, and the types of its messages.
const SUBSYSTEM: u16 = 10;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
const NEW_CHAIN: u16 = NEW_TABLE | 3;
const NEW_RULE: u16 = NEW_TABLE | 6;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const CREATE: u16 = 0x400;
const APPEND: u16 = 0x800;

const NAME: &[u8] = b"bide\0";
/// `NF_INET_LOCAL_OUT`.
const OUTPUT: u32 = 3;
const ACCEPT: u32 = 1;
const DROP: u32 = 0;
/// `NFT_REG_VERDICT`, `NFT_REG_1`.
const VERDICT: u32 = 0;
const REGISTER: u32 = 1;
/// `NFT_META_OIF`.
const OUTPUT_DEVICE: u32 = 5;
/// `NFT_PAYLOAD_NETWORK_HEADER`, and where the destination is in an IPv4 header.
const NETWORK_HEADER: u32 = 1;
const DESTINATION_OFFSET: u32 = 16;
const DESTINATION_BYTES: u32 = 4;
/// `lo` is always the first device of a namespace.
const LOOPBACK: u32 = 1;

/// Installs the filter in the network namespace of the calling thread.
///
/// # Errors
/// The kernel's, e.g. when it has no nf_tables.
pub(super) fn install(prohibited: impl Iterator<Item = Prefix>) -> io::Result<()> {
    let mut batch = Batch::default();
    batch.add_silent(BATCH_BEGIN, &header(0, SUBSYSTEM));
    batch.add(NEW_TABLE, CREATE, &header(INET, 0), &attribute(1, NAME));
    batch.add(NEW_CHAIN, CREATE, &header(INET, 0), &chain());
    let within = [output_device(), compare(&LOOPBACK.to_ne_bytes()), verdict(ACCEPT)];
    batch.add(NEW_RULE, CREATE | APPEND, &header(INET, 0), &rule(&within));
    for prefix in prohibited {
        if let IpAddr::V4(address) = prefix.address {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.bits)).unwrap_or(0);
            let network = address.to_bits() & mask;
            let drop = [destination(), masked(mask), compare(&network.to_be_bytes()), verdict(DROP)];
            batch.add(NEW_RULE, CREATE | APPEND, &header(INET, 0), &rule(&drop));
        }
    }
    batch.add_silent(BATCH_END, &header(0, SUBSYSTEM));
    Netlink::open_family(Some(netlink::NETFILTER))?.commit(batch)
}

/// `struct nfgenmsg`.
fn header(family: u8, resource: u16) -> [u8; 4] {
    let resource = resource.to_be_bytes();
    [family, 0, resource[0], resource[1]]
}

fn chain() -> Vec<u8> {
    let hook = [number(1, OUTPUT), number(2, 0)].concat();
    let attributes = [attribute(1, NAME), attribute(3, NAME), nested(4, &hook), number(5, ACCEPT)];
    [attributes.concat(), attribute(7, b"filter\0")].concat()
}

fn rule(expressions: &[Vec<u8>]) -> Vec<u8> {
    [attribute(1, NAME), attribute(2, NAME), nested(4, &expressions.concat())].concat()
}

fn expression(name: &[u8], data: &[Vec<u8>]) -> Vec<u8> {
    nested(1, &[attribute(1, name), nested(2, &data.concat())].concat())
}

fn output_device() -> Vec<u8> {
    expression(b"meta\0", &[number(1, REGISTER), number(2, OUTPUT_DEVICE)])
}

fn destination() -> Vec<u8> {
    let place = [number(2, NETWORK_HEADER), number(3, DESTINATION_OFFSET), number(4, DESTINATION_BYTES)];
    expression(b"payload\0", &[number(1, REGISTER), place.concat()])
}

fn masked(mask: u32) -> Vec<u8> {
    let registers = [number(1, REGISTER), number(2, REGISTER), number(3, DESTINATION_BYTES)];
    let (mask, xor) = (nested(4, &attribute(1, &mask.to_be_bytes())), nested(5, &attribute(1, &[0; 4])));
    expression(b"bitwise\0", &[registers.concat(), mask, xor])
}

fn compare(value: &[u8]) -> Vec<u8> {
    expression(b"cmp\0", &[number(1, REGISTER), number(2, 0), nested(3, &attribute(1, value))])
}

fn verdict(code: u32) -> Vec<u8> {
    expression(b"immediate\0", &[number(1, VERDICT), nested(2, &nested(2, &number(1, code)))])
}

fn number(kind: u16, value: u32) -> Vec<u8> {
    attribute(kind, &value.to_be_bytes())
}

fn nested(kind: u16, attributes: &[u8]) -> Vec<u8> {
    /// `NLA_F_NESTED`.
    const NESTED: u16 = 0x8000;
    attribute(kind | NESTED, attributes)
}
