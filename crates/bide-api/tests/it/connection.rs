//! The listener, over real loopback connections.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use bide_api::CONNECTIONS_MAX;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::fixture::{Edge, INVOCATIONS};

/// Time that running requests are given at a shutdown.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

struct Server {
    edge: Edge,
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(CONNECTIONS_MAX).await
    }

    async fn start_with(connections_max: usize) -> Self {
        let edge = Edge::new().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel();
        let serving = bide_api::serve(
            listener,
            connections_max,
            edge.router.clone(),
            Arc::new(edge.clock.clone()),
            DRAIN_TIMEOUT,
            async {
                let _ = stopped.await;
            },
        );
        let served = tokio::spawn(serving);
        Self { edge, address, stop, served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connected")
    }

    /// The head of a signed POST to the invocations of `f`, with `more` header lines.
    fn head(&self, headers: &[(&str, &str)], more: &str) -> String {
        let request = self.edge.signed("POST", INVOCATIONS, headers);
        let lines: String = request
            .headers_ref()
            .unwrap_or(&HeaderMap::new())
            .iter()
            .map(|(name, value)| format!("{name}: {}\r\n", value.to_str().expect("ASCII")))
            .collect();
        format!("POST {INVOCATIONS} HTTP/1.1\r\nhost: x\r\n{lines}{more}\r\n")
    }
}

const ASYNC: &[(&str, &str)] = &[("x-fc-invocation-type", "Async")];

/// Reads until the text has the given end or the connection ends.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await.expect("readable") {
            0 => break,
            length => text.extend_from_slice(&buffer[..length]),
        }
    }
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_one_ends() {
    let server = Server::start_with(1).await;
    let ask = async |stream: &mut TcpStream| {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("sent");
    };
    let (mut first, mut second) = (server.connect().await, server.connect().await);
    ask(&mut second).await;
    ask(&mut first).await;
    assert!(read_until(&mut first, "}").await.starts_with("HTTP/1.1 200"));
    ask(&mut first).await;
    assert!(read_until(&mut first, "}").await.starts_with("HTTP/1.1 200"));
    let nothing = second.try_read(&mut [0; 1]).expect_err("nobody has looked at it");
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    assert!(read_until(&mut second, "}").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_serves_many_requests_chunked_ones_too() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    for _ in 0..2 {
        let head = server.head(&[], "content-length: 5\r\n");
        stream.write_all(format!("{head}hello").as_bytes()).await.expect("sent");
        assert!(read_until(&mut stream, "\r\n\r\nhello").await.starts_with("HTTP/1.1 200 OK\r\n"));
    }
    let head = server.head(ASYNC, "transfer-encoding: chunked\r\n");
    stream.write_all(format!("{head}2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n").as_bytes()).await.expect("sent");
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 202 Accepted\r\n"), "{answer}");
    assert!(answer.contains("content-length: 0\r\n") && !answer.contains("content-type"), "{answer}");
}

#[tokio::test]
async fn a_chunked_event_over_the_limit_is_refused_and_the_answer_arrives() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let head = server.head(ASYNC, "transfer-encoding: chunked\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
    for _ in 0..40 {
        stream.write_all(chunk.as_bytes()).await.expect("the rest is still taken");
    }
    stream.write_all(b"0\r\n\r\n").await.expect("sent");
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.contains("EntityTooLarge"), "{answer}");

    // The connection is still good.
    stream
        .write_all(format!("{}ok", server.head(ASYNC, "content-length: 2\r\n")).as_bytes())
        .await
        .expect("sent");
    assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 202 "));
}

#[tokio::test]
async fn a_caller_that_asks_before_it_sends_is_refused_without_sending() {
    let server = Server::start().await;
    let mut stream = server.connect().await;
    let head = server.head(ASYNC, "content-length: 131073\r\nexpect: 100-continue\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    let answer = read_until(&mut stream, "}").await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");

    let mut stream = server.connect().await;
    let head = server.head(ASYNC, "content-length: 2\r\nexpect: 100-continue\r\n");
    stream.write_all(head.as_bytes()).await.expect("sent");
    assert_eq!(read_until(&mut stream, "\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").await.expect("sent");
    assert!(read_until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 202 "));
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_refused() {
    let server = Server::start().await;
    let many: String = (0..=bide_api::HEADERS_MAX).map(|index| format!("h{index}: x\r\n")).collect();
    let large = format!("h: {}\r\n", "x".repeat(bide_api::HEADER_BYTES_MAX));
    for headers in [many, large] {
        let mut stream = server.connect().await;
        let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}

#[tokio::test]
async fn a_shutdown_finishes_what_runs_and_closes_what_idles() {
    let server = Server::start().await;
    let mut idle = server.connect().await;
    let mut busy = server.connect().await;
    let head = server.head(&[("x-fc-trace-id", "r-1")], "content-length: 4\r\n");
    busy.write_all(format!("{head}hold").as_bytes()).await.expect("sent");
    server.edge.executor.until(|executor| executor.held().len() == 1).await;

    server.stop.send(()).expect("still serving");
    assert_eq!(read_until(&mut idle, "\r\n\r\n").await, "");
    let request = bide_types::RequestId::new("r-1").expect("valid");
    let done = bide_engine::AttemptResult::Returned("done".into());
    assert!(server.edge.executor.release(&request, done));
    assert!(read_until(&mut busy, "\r\n\r\ndone").await.starts_with("HTTP/1.1 200 OK\r\n"));
    server.served.await.expect("ended in order");
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn a_shutdown_cuts_what_does_not_end() {
    let server = Server::start().await;
    let mut busy = server.connect().await;
    busy.write_all(format!("{}hold", server.head(&[], "content-length: 4\r\n")).as_bytes())
        .await
        .expect("sent");
    server.edge.executor.until(|executor| executor.held().len() == 1).await;
    server.stop.send(()).expect("still serving");
    let advance = async {
        // The drain's timer is set some time after the stop; move the clock until it has fired.
        loop {
            server.edge.clock.advance(DRAIN_TIMEOUT);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        ended = server.served => ended.expect("ended in order"),
        () = advance => unreachable!("the clock only advances"),
    }
    assert_eq!(read_until(&mut busy, "\r\n\r\n").await, "");
}
