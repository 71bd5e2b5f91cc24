//! The listener: connections in, requests to the router, and an orderly end.
//!
//! Owns the bounds of a connection (number, header sizes, time to send a header) and the drain at shutdown: no new
//! connections, idle ones closed, running requests finished within the drain timeout, the rest cut. Never looks at a
//! request. Every connection task is owned and joined here; a crash closes them all, and a caller whose answer was
//! still under way cannot know whether it was accepted.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bide_env::Clock;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Open connections at most, whatever the process has room for.
pub const CONNECTIONS_MAX: usize = 4096;
/// Header lines of one request.
pub const HEADERS_MAX: usize = 100;
/// Names and values of all header lines of one request, with the request line.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Read buffer of one connection while a body arrives.
const READ_BUFFER_BYTES_MAX: usize = 128 * 1024;
/// Time for a complete header, counted from the end of the request before it: so also how long an idle connection is
/// kept. The Go library expects about 90 s (fc-api 7.1).
pub const HEADER_READ_MAX: Duration = Duration::from_secs(100);
/// Pause after the system refused a new connection for want of resources (descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

const _: () =
    assert!(HEADER_BYTES_MAX <= READ_BUFFER_BYTES_MAX, "a header must fit the buffer it is read into");

/// Where a request comes from; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) ip: IpAddr,
}

/// Serves `router` until `shutdown` resolves, then gives running requests `drain_timeout` to finish. At most
/// `connections_max` connections are open; further ones wait in the listener's backlog.
pub async fn serve(
    listener: TcpListener,
    connections_max: usize,
    router: Router,
    clock: Arc<dyn Clock>,
    drain_timeout: Duration,
    shutdown: impl Future<Output = ()>,
) {
    let (drain, draining) = watch::channel(false);
    let mut connections = JoinSet::new();
    let room = Arc::new(Semaphore::new(connections_max.min(CONNECTIONS_MAX)));
    accept(&listener, room, &router, &*clock, &mut connections, draining, shutdown).await;
    drop(listener); // refuse at once instead of leaving callers in the backlog
    drain.send_replace(true);
    let drained = async { while connections.join_next().await.is_some() {} };
    let in_time = tokio::select! {
        () = drained => true,
        () = clock.sleep(drain_timeout) => false,
    };
    if !in_time {
        tracing::warn!(cut = connections.len(), "requests still running at the end of the drain were cut");
        connections.shutdown().await;
    }
}

async fn accept(
    listener: &TcpListener,
    room: Arc<Semaphore>,
    router: &Router,
    clock: &dyn Clock,
    connections: &mut JoinSet<()>,
    draining: watch::Receiver<bool>,
    shutdown: impl Future<Output = ()>,
) {
    let mut shutdown = pin!(shutdown);
    loop {
        while connections.try_join_next().is_some() {} // forget those that ended
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await.expect("the semaphore is never closed");
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            () = &mut shutdown => return,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let peer = Peer { ip: peer.ip() };
                let connection = connection(stream, peer, router.clone(), draining.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) if is_about_one_connection(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                clock.sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

async fn connection(stream: TcpStream, peer: Peer, router: Router, mut draining: watch::Receiver<bool>) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot switch off Nagle's algorithm");
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.call(request)
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_MAX)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEADER_BYTES_MAX)
        .max_buf_size(READ_BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    let drain = async {
        // An error means that the sender is gone, which is a reason to end as well.
        let _ = draining.wait_for(|draining| *draining).await;
    };
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = drain => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}
