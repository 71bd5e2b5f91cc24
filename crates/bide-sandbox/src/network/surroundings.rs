//! What an instance must know of the host's network when its own is made.
//!
//! Owns the look at the host. It is taken anew for each instance, because addresses come and go.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use super::prohibited::{Prefix, local_addresses};

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
