//! Networks: the host, its neighbours, and what clouds tell a machine about itself.

mod outside;

use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr as UnixAddr, UnixListener};

use serde_json::{Value, json};

use super::prison::{Prison, expect, has_way_out, hostile, is_root, not_shown};

/// Connects to each of a list of targets in every way there is, and says what came of it.
const CONNECTS: &str = r#"
import socket

IP_UNICAST_IF = 50

def connect(host, port, device=None, by_packet=False):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if by_packet else socket.SOCK_STREAM
    with socket.socket(family, kind) as connection:
        connection.settimeout(1)
        if device:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        connection.connect((host, port))
        if by_packet:
            connection.send(b"?")
        return connection.recv(100).decode()

def devices():
    return [name for _, name in socket.if_nameindex() if name != "lo"]

def handler(event, context):
    seen = {}
    for host, port in json.loads(event):
        name = "%s %d" % (host, port)
        seen[name] = outcome(connect, host, port)
        seen[name + " packet"] = outcome(connect, host, port, None, True)
        for device in devices():
            seen[name + " by " + device] = outcome(connect, host, port, device)
            seen[name + " packet by " + device] = outcome(connect, host, port, device, True)
    return seen
"#;

/// The metadata services of clouds.
const METADATA: [&str; 6] =
    ["169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254"];

/// The host's own addresses beside loopback.
fn own_addresses() -> Vec<IpAddr> {
    let ask = |from: &str, to: &str| {
        let socket = UdpSocket::bind(from).ok()?;
        socket.connect(to).ok()?;
        Some(socket.local_addr().ok()?.ip())
    };
    [ask("0.0.0.0:0", "8.8.8.8:53"), ask("[::]:0", "[2001:4860:4860::8888]:53")]
        .into_iter()
        .flatten()
        .collect()
}

/// Servers of this host that greet whoever comes, on loopback and on all other addresses, by TCP and UDP.
fn greet(address: &str) -> Option<u16> {
    let listener = TcpListener::bind(address).ok()?;
    let port = listener.local_addr().unwrap().port();
    let datagrams = UdpSocket::bind((listener.local_addr().unwrap().ip(), port)).ok()?;
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = std::io::Write::write_all(&mut stream, b"REACHED");
        }
    });
    std::thread::spawn(move || {
        while let Ok((_, from)) = datagrams.recv_from(&mut [0; 100]) {
            let _ = datagrams.send_to(b"REACHED", from);
        }
    });
    Some(port)
}

/// Every attempt was refused. Only what is bound to a device may end in silence: the packet is dropped then, and that it
/// is shows where somebody would answer ([`in_a_network_of_its_own`]).
fn assert_refused(seen: &Value) {
    for (way, outcome) in seen.as_object().unwrap() {
        // Prohibited, filtered, no network, nobody in the instance itself.
        let refused = ["EACCES", "EPERM", "ENETUNREACH", "ECONNREFUSED", "EADDRNOTAVAIL", "EHOSTUNREACH"];
        let silent = way.contains(" by ") && outcome == "TimeoutError('timed out')";
        assert!(silent || refused.iter().any(|error| outcome == error), "{way}: {outcome}");
    }
    assert!(!seen.as_object().unwrap().is_empty());
}

async fn nothing_of_this_host(access: bool) {
    let prison = Prison::open_network(access).await;
    let server: SocketAddr = prison.world.server.endpoint().trim_start_matches("http://").parse().unwrap();
    let mut targets = vec![json!(["127.0.0.1", server.port()]), json!(["localhost", server.port()])];
    let on_loopback = ["127.0.0.1:0", "[::1]:0", "127.9.9.9:0"].map(|address| (address, greet(address)));
    for (address, port) in on_loopback {
        let host = address.rsplit_once(':').unwrap().0.trim_matches(['[', ']']);
        targets.extend(port.map(|port| json!([host, port])));
    }
    let everywhere = greet("[::]:0").or_else(|| greet("0.0.0.0:0")).expect("a port is free");
    let own = own_addresses();
    assert!(!own.is_empty(), "this host has an address");
    for host in own.iter().map(IpAddr::to_string).chain(["0.0.0.0".into(), "::ffff:127.0.0.1".into()]) {
        targets.push(json!([host, everywhere]));
    }
    let seen = prison.attempt("connects", CONNECTS, json!(targets)).await;
    assert!(seen.as_object().unwrap().len() >= 2 * targets.len());
    assert_refused(&seen);
    prison.close().await;
}

#[tokio::test]
async fn the_servers_port_and_services_of_this_host_are_out_of_reach() {
    nothing_of_this_host(true).await;
}

#[tokio::test]
async fn without_internet_access_nothing_of_this_host_is_in_reach_either() {
    nothing_of_this_host(false).await;
}

#[tokio::test]
async fn metadata_services_of_clouds_are_out_of_reach() {
    let targets: Vec<_> = METADATA.iter().map(|host| json!([host, 80])).collect();
    for access in [true, false] {
        let prison = Prison::open_network(access).await;
        let seen = prison.attempt("connects", CONNECTS, json!(targets)).await;
        assert_refused(&seen);
        prison.close().await;
    }
}

/// In a network of its own, where somebody would answer.
#[test]
fn other_hosts_are_reached_and_those_that_answer_for_a_cloud_are_not() {
    if !is_root() || !has_way_out() {
        return not_shown("outbound network of instances: needs root, pasta and /dev/net/tun");
    }
    outside::run("escape::network::in_a_network_of_its_own");
}

/// Not a test by itself: what [`other_hosts_are_reached_and_those_that_answer_for_a_cloud_are_not`] runs.
#[tokio::test]
async fn in_a_network_of_its_own() {
    if !outside::is_inside() {
        return;
    }
    let outside = outside::Outside::make(&METADATA);
    let friend = outside::FRIENDS.map(|host| json!([host, 80]));
    let prison = Prison::open().await;
    for host in METADATA.iter().chain(&outside::FRIENDS) {
        assert_eq!(outside.ask(host), "hello", "the host itself reaches {host}");
    }
    prison.deploy("connects", hostile(CONNECTS)).await;
    let seen = prison.invoke("connects", json!(friend)).await;
    for host in outside::FRIENDS {
        assert_eq!(seen[format!("{host} 80")], "done: 'hello'", "{seen:#}");
    }
    // Now by the device that leads out, too.
    let targets: Vec<_> = METADATA
        .iter()
        .map(|host| json!([host, 80]))
        .chain([json!([outside::HOST, 80]), json!(["127.0.0.1", 80])])
        .collect();
    let _greets = greet("0.0.0.0:80").expect("nobody else is here");
    let seen = prison.invoke("connects", json!(targets)).await;
    assert!(seen.get("127.0.0.1 80 by eth0").is_some(), "{seen:#}");
    assert_refused(&seen);
    prison.close().await;
}

#[tokio::test]
async fn raw_and_other_sockets_are_refused() {
    const SOURCE: &str = r#"
import socket

def opens(*arguments):
    return outcome(lambda: socket.socket(*arguments).close())

AF_VSOCK, AF_ALG, AF_XDP, NETLINK_NETFILTER = 40, 38, 44, 12

def handler(event, context):
    return dict(
        raw=opens(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        raw6=opens(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW),
        packet=opens(socket.AF_PACKET, socket.SOCK_RAW, 0),
        packet_dgram=opens(socket.AF_PACKET, socket.SOCK_DGRAM, 0),
        vsock=opens(AF_VSOCK, socket.SOCK_STREAM, 0),
        crypto=opens(AF_ALG, socket.SOCK_SEQPACKET, 0),
        xdp=opens(AF_XDP, socket.SOCK_RAW, 0),
        filter=opens(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER),
        audit=opens(socket.AF_NETLINK, socket.SOCK_RAW, 9),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("raw", SOURCE, json!(null)).await;
    let names = ["raw", "raw6", "packet", "packet_dgram", "vsock", "crypto", "xdp", "filter", "audit"];
    expect(&seen, &names.map(|name| (name, "EPERM")));
    prison.close().await;
}

#[tokio::test]
async fn the_network_of_an_instance_cannot_be_changed_by_it() {
    const SOURCE: &str = r#"
import socket, struct

RTM_NEWROUTE, RTM_DELRULE, RTM_NEWADDR, REQUEST_ACK = 24, 33, 20, 5

def ask(kind, body):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as route:
        route.send(struct.pack("=IHHII", 16 + len(body), kind, REQUEST_ACK, 1, 0) + body)
        code = -struct.unpack_from("=i", route.recv(4096), 16)[0]
        if code:
            raise OSError(code, "refused")

def handler(event, context):
    route = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 4, 0, 1, 0)
    rule = struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 0, 0, 0, 8, 0)
    address = struct.pack("=BBBBI", 2, 32, 0, 0, 1) + struct.pack("=HH4s", 8, 2, bytes([10, 0, 0, 1]))
    return dict(
        route=inside(ask, RTM_NEWROUTE, route),
        rule=inside(ask, RTM_DELRULE, rule),
        address=inside(ask, RTM_NEWADDR, address),
        low_port=outcome(lambda: socket.socket().bind(("127.0.0.1", 80))),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("routes", SOURCE, json!(null)).await;
    expect(&seen, &[("route", "EPERM"), ("rule", "EPERM"), ("address", "EPERM"), ("low_port", "EACCES")]);
    prison.close().await;
}

#[tokio::test]
async fn abstract_sockets_of_this_host_are_out_of_reach() {
    const SOURCE: &str = r#"
import socket

def handler(event, context):
    name = json.loads(event)
    with socket.socket(socket.AF_UNIX) as connection:
        return dict(abstract=outcome(connection.connect, b"\0" + name.encode()), listed=name in open("/proc/net/unix").read())
"#;
    let name = format!("bide-escape-{}", std::process::id());
    let _listener = UnixListener::bind_addr(&UnixAddr::from_abstract_name(&name).unwrap()).unwrap();
    let prison = Prison::open().await;
    let seen = prison.attempt("connects", SOURCE, json!(name)).await;
    assert_eq!(seen, json!({ "abstract": "ECONNREFUSED", "listed": false }));
    prison.close().await;
}
