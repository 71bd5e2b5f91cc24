//! What an instance must know of the host's network when its own is made.
//!
//! Owns the look at the host. Addresses come and go, so it is taken anew when the kernel has told of any change, and for
//! each instance where the kernel does not tell.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use super::netlink::Netlink;
use super::prohibited::{Prefix, local_addresses};

/// Groups of `rtnetlink(7)`, as bits: devices, addresses, routes and rules.
const CHANGES: u32 = LINK | ADDRESS_V4 | ADDRESS_V6 | ROUTE_V4 | ROUTE_V6 | RULE_V4 | RULE_V6;
const LINK: u32 = 1;
const ADDRESS_V4: u32 = 0x10;
const ROUTE_V4: u32 = 0x40;
const RULE_V4: u32 = 0x80;
const ADDRESS_V6: u32 = 0x100;
const ROUTE_V6: u32 = 0x400;
const RULE_V6: u32 = 1 << 18;

/// The host as an instance sees it.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// Its own addresses.
    pub(super) host: Vec<Prefix>,
    pub(super) families: Families,
}

/// The address families in which the host reaches others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Families {
    pub(crate) v4: bool,
    pub(crate) v6: bool,
}

/// The host as it is, without looking at it each time.
#[derive(Debug)]
pub(crate) struct Lookout {
    /// Hears of changes in the network that it was opened in.
    changes: Option<Netlink>,
    last: Option<Surroundings>,
}

impl Lookout {
    pub(crate) fn new() -> Self {
        Self { changes: Netlink::subscribe(CHANGES).ok(), last: None }
    }

    /// # Errors
    /// The kernel's.
    pub(crate) fn look(&mut self) -> io::Result<Surroundings> {
        // Read before the look: what changes meanwhile is heard of the next time.
        let unchanged = self.changes.as_ref().is_some_and(|changes| !changes.has_news());
        if let Some(last) = self.last.as_ref().filter(|_| unchanged) {
            return Ok(last.clone());
        }
        let now = Surroundings::look()?;
        self.last = Some(now.clone());
        Ok(now)
    }

    /// Lets the last look have seen something else.
    #[cfg(test)]
    pub(super) fn forge(&mut self, families: Families) {
        self.last = Some(Surroundings { host: Vec::new(), families });
    }
}

impl Surroundings {
    /// # Errors
    /// The kernel's.
    pub(crate) fn look() -> io::Result<Self> {
        Ok(Self { host: local_addresses()?, families: Families::look() })
    }

    pub(crate) fn families(&self) -> Families {
        self.families
    }
}

impl Families {
    pub(crate) const NONE: Self = Self { v4: false, v6: false };

    /// Asks the kernel for a route to a public address of each family. Nothing is sent.
    pub(crate) fn look() -> Self {
        let v4 = has_route((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::new(8, 8, 8, 8), 53).into());
        let public = Ipv6Addr::new(0x2001, 0x4860, 0x4860, 0, 0, 0, 0, 0x8888);
        let v6 = has_route((Ipv6Addr::UNSPECIFIED, 0).into(), (public, 53).into());
        Self { v4, v6 }
    }

    pub(super) fn include(self, address: IpAddr) -> bool {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

fn has_route(from: std::net::SocketAddr, to: std::net::SocketAddr) -> bool {
    UdpSocket::bind(from).and_then(|socket| socket.connect(to)).is_ok()
}
