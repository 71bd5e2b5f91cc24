//! Responses of functions over real connections: piece by piece, broken off, and left by the caller.

use std::sync::Arc;
use std::time::Duration;

use bide_api::CONNECTIONS_MAX;
use bide_engine::{AttemptResult, Executor as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::fixture::{Edge, PROXY};

const MIB: usize = 1024 * 1024;

struct Server {
    edge: Edge,
    address: std::net::SocketAddr,
    served: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.served.abort();
    }
}

impl Server {
    async fn start() -> Self {
        let edge = Edge::with_trigger().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let (router, clock) = (edge.router.clone(), Arc::new(edge.clock.clone()));
        let shutdown = std::future::pending();
        let serving = bide_api::serve(listener, CONNECTIONS_MAX, router, clock, Duration::ZERO, shutdown);
        Self { edge, address, served: tokio::spawn(serving) }
    }

    /// Sends a request for a path of `f`.
    async fn ask(&self, method: &str, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("connected");
        let head = format!("{method} {PROXY}{path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        stream
    }

    async fn until_idle(&self) {
        self.edge.executor.until(|executor| executor.stats().busy == 0).await;
    }
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => text.extend_from_slice(&buffer[..length]),
        }
    }
    String::from_utf8(text).expect("text")
}

#[tokio::test]
async fn pieces_arrive_as_they_are_made() {
    let server = Server::start().await;
    let mut stream = server.ask("GET", "/begin").await;
    let begun = read_until(&mut stream, "first \r\n").await;
    assert!(begun.contains("transfer-encoding: chunked\r\n"), "{begun}");
    let held = server.edge.executor.held().remove(0);
    assert!(server.edge.executor.release(&held, AttemptResult::Returned(bytes::Bytes::new())));
    assert_eq!(read_until(&mut stream, "0\r\n\r\n").await, "0\r\n\r\n");
}

#[tokio::test]
async fn a_response_that_breaks_off_breaks_the_connection() {
    let server = Server::start().await;
    let mut stream = server.ask("GET", "/begin").await;
    read_until(&mut stream, "first \r\n").await;
    let held = server.edge.executor.held().remove(0);
    let message = "no disk".to_owned();
    assert!(server.edge.executor.release(&held, AttemptResult::SystemError { message }));
    assert_eq!(read_until(&mut stream, "0\r\n\r\n").await, "", "no end that looks whole");
    // Where the fault shows at once, the caller may see nothing at all.
    for (path, whole) in [("/break", "0\r\n\r\n"), ("/short", "123456"), ("/long", "1234")] {
        let mut stream = server.ask("GET", path).await;
        let answer = read_until(&mut stream, whole).await;
        assert!(!answer.ends_with(whole), "{path}: {answer}");
        server.until_idle().await;
    }
}

#[tokio::test]
async fn a_body_of_announced_length_has_it_and_its_attempt_is_left_to_end() {
    let server = Server::start().await;
    let mut stream = server.ask("GET", "/length").await;
    let answer = read_until(&mut stream, "12345").await;
    assert!(answer.contains("content-length: 5\r\n") && !answer.contains("chunked"), "{answer}");
    // The connection serves on, and what the function still does is not cut.
    stream
        .write_all(format!("GET {PROXY}/teapot HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes())
        .await
        .expect("sent");
    assert!(read_until(&mut stream, "0\r\n\r\n").await.starts_with("HTTP/1.1 418 "));
    let held = server.edge.executor.held().remove(0);
    assert!(server.edge.executor.release(&held, AttemptResult::Returned(bytes::Bytes::new())));
    server.until_idle().await;
}

#[tokio::test]
async fn a_caller_that_leaves_ends_the_attempt() {
    let server = Server::start().await;
    for path in ["/hold", "/begin"] {
        let mut stream = server.ask("GET", path).await;
        server.edge.executor.until(|executor| executor.held().len() == 1).await;
        if path == "/begin" {
            read_until(&mut stream, "first \r\n").await;
        }
        drop(stream);
        server.until_idle().await;
    }
}

#[tokio::test]
async fn a_slow_reader_holds_the_function_back() {
    let server = Server::start().await;
    let mut stream = server.ask("GET", "/mib/32").await;
    let mut buffer = vec![0; MIB];
    let mut received = stream.read(&mut buffer).await.expect("begun");
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(server.edge.executor.stats().busy, 1, "the rest waits for its reader");
    while let Ok(length) = stream.read(&mut buffer).await
        && length > 0
        && !buffer[..length].ends_with(b"0\r\n\r\n")
    {
        received += length;
    }
    assert!(received >= 32 * MIB - buffer.len(), "{received}");
    server.until_idle().await;
}

#[tokio::test]
async fn a_response_over_the_limit_is_cut() {
    let server = Server::start().await;
    let mut stream = server.ask("GET", "/mib/33").await;
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received).await; // the connection may be reset
    assert!(received.len() >= 31 * MIB && !received.ends_with(b"0\r\n\r\n"), "{}", received.len());
    server.until_idle().await;
}

#[tokio::test]
async fn the_function_is_told_where_the_caller_is() {
    let server = Server::start().await;
    let mut stream = server.ask("GET", "/").await;
    let answer = read_until(&mut stream, "0\r\n\r\n").await;
    assert!(answer.contains(r#""clientIp":"127.0.0.1""#), "{answer}");
}
