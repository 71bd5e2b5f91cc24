//! The load generator: connections that each send one request after the other.
//!
//! Owns a client as thin as can be, since it shares the machine with the server: the request is written from a prepared
//! buffer, signed anew whenever the second of its date changes, and of the answer only status and end are looked at.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bide_api::auth::{Credential, fc};
use bide_env::{Clock as _, SystemClock};
use bide_types::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::figures::Samples;

/// Largest answer: a status line, headers and a short body.
const ANSWER_BYTES_MAX: usize = 4096;

/// What is sent again and again.
pub(crate) struct Request {
    /// Host and port.
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) payload: Vec<u8>,
    pub(crate) credential: Credential,
    /// The status of every answer.
    pub(crate) expected: u16,
}

/// When to stop.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Elapsed(Duration),
    /// Per connection.
    Requests(usize),
}

/// What came of a load.
pub(crate) struct Outcome {
    pub(crate) elapsed: Duration,
    pub(crate) latencies: Samples,
}

impl Outcome {
    pub(crate) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends `request` over `connections` connections.
///
/// # Errors
/// Any status but the expected one ends the load.
pub(crate) async fn send(request: Request, connections: usize, until: Until) -> anyhow::Result<Outcome> {
    let (request, clock) = (Arc::new(request), Arc::new(SystemClock::new()));
    let begin = clock.monotonic();
    let mut running = JoinSet::new();
    for _ in 0..connections {
        running.spawn(connection(Arc::clone(&request), Arc::clone(&clock), begin, until));
    }
    let mut latencies = Samples::default();
    while let Some(done) = running.join_next().await {
        latencies.merge(done??);
    }
    Ok(Outcome { elapsed: clock.monotonic() - begin, latencies })
}

async fn connection(
    request: Arc<Request>,
    clock: Arc<SystemClock>,
    begin: Duration,
    until: Until,
) -> anyhow::Result<Samples> {
    let mut stream = TcpStream::connect(&request.authority).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let mut signed = Signed::default();
    let mut samples = Samples::default();
    let mut answer = Vec::with_capacity(ANSWER_BYTES_MAX);
    loop {
        let sent = clock.monotonic();
        let done = match until {
            Until::Elapsed(duration) => sent - begin >= duration,
            Until::Requests(count) => samples.len() >= count,
        };
        if done {
            return Ok(samples);
        }
        stream.write_all(signed.bytes(&request, clock.now())).await?;
        read_answer(&mut stream, &mut answer, request.expected).await?;
        samples.add(clock.monotonic() - sent);
    }
}

/// The request as sent within one second.
#[derive(Default)]
struct Signed {
    second: u64,
    bytes: Vec<u8>,
}

impl Signed {
    fn bytes(&mut self, request: &Request, now: Timestamp) -> &[u8] {
        let second = now.as_millis() / 1000;
        if second != self.second {
            self.second = second;
            self.bytes = request.sign(now);
        }
        &self.bytes
    }
}

impl Request {
    fn sign(&self, now: Timestamp) -> Vec<u8> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers.insert(http::header::DATE, fc::date(now));
        let authorization = fc::sign(&self.credential, &Method::POST, &self.path, &headers);
        headers.insert(http::header::AUTHORIZATION, authorization);
        let length = self.payload.len();
        let mut bytes = format!(
            "POST {} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n",
            self.path, self.authority
        )
        .into_bytes();
        for (name, value) in &headers {
            bytes.extend_from_slice(name.as_str().as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// Reads one answer.
async fn read_answer(stream: &mut TcpStream, answer: &mut Vec<u8>, expected: u16) -> anyhow::Result<()> {
    answer.clear();
    while !is_whole(answer) {
        let read = stream.read_buf(answer).await?;
        anyhow::ensure!(read > 0, "the server closed the connection");
        anyhow::ensure!(answer.len() <= ANSWER_BYTES_MAX, "the answer is too long");
    }
    let status = answer.get(9..12).and_then(|status| std::str::from_utf8(status).ok()?.parse().ok());
    anyhow::ensure!(status == Some(expected), "the server answered: {}", String::from_utf8_lossy(answer));
    Ok(())
}

/// Whether the head and as many bytes as it announces are there.
fn is_whole(answer: &[u8]) -> bool {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let length = answer[..end].split(|byte| *byte == b'\n').find_map(|line| {
        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
        if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
    });
    answer.len() >= end + 4 + length.unwrap_or(0_usize)
}
