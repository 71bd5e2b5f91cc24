//! A network of its own for one test: this host, and an outside joined to it by a virtual cable.
//!
//! Owns the namespaces, which end with their processes. Needs root and the tools `unshare` and `ip`.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Set in the process that has the network.
const INSIDE: &str = "BIDE_TEST_IN_OWN_NETWORK";
/// Hosts that an instance may reach.
pub(in crate::escape) const FRIENDS: [&str; 2] = ["198.51.100.1", "2001:db8::1"];
/// This host, as the outside knows it.
pub(in crate::escape) const HOST: &str = "198.51.100.2";

/// Has an address for every argument, each with a server that says hello.
const SERVES: &str = r#"
import socket, sys, threading
def serve(listener):
    while True:
        peer, _ = listener.accept()
        peer.sendall(b"hello")
        peer.close()
for address in sys.argv[1:]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, 80), family=family)
    threading.Thread(target=serve, args=[listener], daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"#;

/// Runs one test of this program in a network of its own.
pub(super) fn run(test: &str) {
    let output = Command::new("unshare")
        .args(["--net", "--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare is installed");
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

pub(super) fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// The other end of the cable.
pub(super) struct Outside {
    servers: Child,
}

impl Outside {
    /// Gives the outside these addresses beside those of friends, and this host a way to it.
    pub(super) fn make(addresses: &[&str]) -> Self {
        let all: Vec<_> = addresses.iter().chain(&FRIENDS).copied().collect();
        ip("link set lo up");
        // Where the addresses are there first, the servers start: the shell waits for its standard input.
        let script = "read go; exec python3 -c \"$0\" \"$@\"";
        let mut servers = Command::new("unshare")
            .args(["--net", "sh", "-c", script, SERVES])
            .args(&all)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let outside = servers.id();
        ip("link add veth0 type veth peer name veth1");
        // Until `unshare` has made the namespace, the other end would come to our own.
        while std::fs::read_link(format!("/proc/{outside}/ns/net")).unwrap()
            == std::fs::read_link("/proc/self/ns/net").unwrap()
        {
            std::thread::yield_now();
        }
        ip(&format!("link set veth1 netns {outside}"));
        ip(&format!("addr add {HOST}/24 dev veth0"));
        ip("-6 addr add 2001:db8::2/64 dev veth0 nodad");
        ip("link set veth0 up");
        within(outside, "link set lo up");
        within(outside, "link set veth1 up");
        for address in &all {
            let bits = if address.contains(':') { "64 nodad" } else { "24" };
            let (bits, rest) = bits.split_once(' ').unwrap_or((bits, ""));
            within(outside, format!("addr add {address}/{bits} dev veth1 {rest}").trim());
        }
        ip(&format!("route add default via {}", FRIENDS[0]));
        ip(&format!("-6 route add default via {}", FRIENDS[1]));
        within(outside, &format!("route add default via {HOST}"));
        within(outside, "-6 route add default via 2001:db8::2");
        std::io::Write::write_all(servers.stdin.as_mut().unwrap(), b"go\n").unwrap();
        servers.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        Self { servers }
    }

    /// What the outside says at an address.
    pub(super) fn ask(&self, host: &str) -> String {
        let target = SocketAddr::new(host.parse::<IpAddr>().unwrap(), 80);
        let answer = TcpStream::connect_timeout(&target, Duration::from_secs(10)).and_then(|mut stream| {
            let mut text = String::new();
            stream.read_to_string(&mut text).map(|_| text)
        });
        answer.unwrap_or_else(|error| error.to_string())
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.servers.kill();
        let _ = self.servers.wait();
    }
}

fn ip(arguments: &str) {
    check(Command::new("ip").args(arguments.split(' ')));
}

fn within(process: u32, arguments: &str) {
    let target = format!("--target={process}");
    check(Command::new("nsenter").args([&target, "--net", "ip"]).args(arguments.split(' ')));
}

fn check(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
