//! The program `curl`, as users call functions over HTTP.

use std::process::{Command, Stdio};

use super::{PATIENCE, Server, have};

/// An HTTP response as curl received it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In lower case.
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// A header's value, empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or_default()
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
