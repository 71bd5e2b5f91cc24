//! `/etc/resolv.conf` of an instance.
//!
//! Owns what of the host's file is handed on: which families its servers have, search domains and options.

use std::net::{IpAddr, Ipv4Addr};

use super::{DNS_V4, DNS_V6};

/// More than the resolver reads of one line (`resolv.conf(5)`: 256 characters of search list, three servers).
const LINE_BYTES_MAX: usize = 1024;
const LINES_MAX: usize = 16;

/// The text for an instance with outbound access, from that of the host. Without servers in it the resolver of the
/// machine itself is meant (`resolv.conf(5)`).
pub(crate) fn resolv_conf(host: &str) -> String {
    let lines = || host.lines().map(str::trim).filter(|line| line.len() <= LINE_BYTES_MAX);
    let named = lines().filter_map(|line| line.strip_prefix("nameserver")).filter_map(server);
    let servers: Vec<IpAddr> = named.collect();
    let mut text = String::new();
    if servers.is_empty() || servers.iter().any(IpAddr::is_ipv4) {
        text.push_str(&format!("nameserver {DNS_V4}\n"));
    }
    if servers.iter().any(IpAddr::is_ipv6) {
        text.push_str(&format!("nameserver {DNS_V6}\n"));
    }
    let kept = lines().filter(|line| line.starts_with("search ") || line.starts_with("options "));
    for line in kept.take(LINES_MAX) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn server(text: &str) -> Option<IpAddr> {
    // An address may name the device that leads to it: fe80::1%eth0.
    let address = text.trim().split('%').next()?;
    if address.is_empty() { Some(Ipv4Addr::LOCALHOST.into()) } else { address.parse().ok() }
}

#[cfg(test)]
mod tests;
