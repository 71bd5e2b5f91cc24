//! The network of an instance: its own, with a loopback device; and for those that may reach others a way out that does
//! not lead to this host.
//!
//! Owns what happens inside a fresh network namespace ([`lay_trap`]) and the process outside
//! that carries packets ([`Attachment`]). Never touches the host's devices, routes, firewall or settings. A crash leaves
//! nothing: namespaces end with their last process, and pasta with the supervisor.
//!
//! In the supervisor, once: [`Outbound::detect`], [`Lookout::new`]. For each launch that asks for outbound access:
//! [`Lookout::look`] before process 1 is cloned; `lay_trap` in it, which gives descriptors ([`Trap::into_fds`]) for the
//! supervisor; there an [`Attachment`], polled with the rest, whose trap is closed elsewhere.

mod device;
mod filter;
mod netlink;
mod outbound;
mod pasta;
mod prohibited;
mod resolver;
mod surroundings;
mod trap;
mod tun;

use std::net::{Ipv4Addr, Ipv6Addr};

pub use outbound::Outbound;

pub(crate) use outbound::Attachment;
pub(crate) use resolver::resolv_conf;
pub(crate) use surroundings::{Families, Lookout, Surroundings};
pub(crate) use trap::{Trap, lay_trap};
use tun::make_tun_available;

/// Where an instance sends its questions about names; pasta hands them to the first server of the host's `resolv.conf`,
/// also if that is one that the instance must not reach (a loopback or metadata address).
const DNS_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 3);
const DNS_V6: Ipv6Addr = Ipv6Addr::new(0xfd62, 0x6964, 0x6500, 0, 0, 0, 0, 3);

#[cfg(test)]
mod tests;
