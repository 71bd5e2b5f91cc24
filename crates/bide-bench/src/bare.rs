//! The ceiling: the same HTTP stack, answering 202 without signature check and store.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use bide_api::CONNECTIONS_MAX;
use bide_env::SystemClock;
use http::StatusCode;
use tokio::net::TcpListener;

use crate::figures;

/// Serves on a free port until killed; prints its address first.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    figures::print(&format!("ready on http://{}", listener.local_addr()?));
    // The body is read, as the real server must.
    let router = Router::new().route("/{*path}", post(|_: Bytes| async { StatusCode::ACCEPTED }));
    let clock = Arc::new(SystemClock::new());
    bide_api::serve(listener, CONNECTIONS_MAX, router, clock, Duration::ZERO, pending()).await;
    Ok(())
}
