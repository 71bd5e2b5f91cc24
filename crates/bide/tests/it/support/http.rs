//! Calls over HTTP, by the program `curl` and over a bare connection.

use std::process::{Command, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PATIENCE, Server, have};

/// An HTTP response as it was received.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In lower case.
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header's value, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers(name).first().copied().unwrap_or_default()
    }

    /// Every value of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("no JSON: {}\n{}", self.head, self.text()))
    }
}

/// Whether there is a curl; says so if not.
pub(crate) fn have_curl() -> bool {
    have("curl", "--version")
}

/// Calls `http://HOST{target}` at the server, whatever the host is.
pub(crate) async fn curl(server: &Server, host: &str, target: &str, arguments: &[&str]) -> Reply {
    let address = server.endpoint().trim_start_matches("http://");
    let (ip, port) = address.rsplit_once(':').expect("an address");
    let mut command = tokio::process::Command::from(Command::new("curl"));
    command
        .args(["--disable", "--noproxy", "*", "--silent", "--show-error", "--include"])
        .args(["--resolve", &format!("{host}:{port}:{ip}")])
        .args(arguments)
        .arg(format!("http://{host}:{port}{target}"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output =
        tokio::time::timeout(PATIENCE, command.output()).await.expect("curl ends").expect("curl runs");
    assert!(output.status.success(), "curl: {}", String::from_utf8_lossy(&output.stderr));
    reply(output.stdout)
}

/// Sends one request as it is, apart from its framing.
pub(crate) async fn exchange(server: &Server, head: &str, body: &[u8]) -> Reply {
    let address = server.endpoint().trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!("{head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let mut reply = reply(answer);
    if reply.header("transfer-encoding") == "chunked" {
        reply.body = unchunked(&reply.body);
    }
    reply
}

fn unchunked(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n").expect("a chunk");
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..line]).unwrap(), 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&rest[line + 2..line + 2 + length]);
        rest = &rest[line + 4 + length..];
    }
}

/// Takes the last head, after those that only say to go on.
fn reply(mut bytes: Vec<u8>) -> Reply {
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head") + 4;
        let rest = bytes.split_off(end);
        let head = String::from_utf8(bytes).expect("text").to_lowercase();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        if status != 100 {
            return Reply { status, head, body: rest };
        }
        bytes = rest;
    }
}
