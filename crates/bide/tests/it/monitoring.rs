//! Monitoring as an operator sets it up: Prometheus' own checker reads what the server says.

mod dashboard;
mod figures;
mod request_log;
mod traces;

use std::process::{Command, Output, Stdio};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, until};

/// Settings of a server with a page of figures.
const PAGE: (&str, &str) = ("BIDE_METRICS_LISTEN", "127.0.0.1:0");

/// What a page says, with the status.
async fn get(server: &Server, token: Option<&str>) -> (u16, String) {
    let address = until("the server says where the figures are", async || {
        let log = server.log();
        let line = log.lines().find_map(|line| line.strip_prefix("bide: metrics on http://"))?;
        Some(line.trim_end_matches("/metrics").to_owned())
    })
    .await;
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{token}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).expect("a status").parse().unwrap();
    (status, body.to_owned())
}

/// The figures of a server.
async fn figures(server: &Server) -> String {
    let (status, text) = get(server, None).await;
    assert_eq!(status, 200, "{text}");
    text
}

/// The sum of the series of a family whose labels hold all of `labels`; `None` if there are none.
fn value(figures: &str, name: &str, labels: &[&str]) -> Option<f64> {
    let series = figures.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let of_name = series.split('{').next() == Some(name);
        (of_name && labels.iter().all(|label| series.contains(label))).then(|| value.parse::<f64>().unwrap())
    });
    series.reduce(|left, right| left + right)
}

/// Runs promtool with this on its standard input.
fn promtool(arguments: &[&str], input: &str) -> Output {
    use std::io::Write as _;
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool of the package prometheus is installed");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What the program said on either stream.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
