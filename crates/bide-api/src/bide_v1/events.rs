//! Where events come in: CloudEvents, and notifications of S3-compatible storage.
//!
//! Owns the routes, their bounds and their answer. 202 says that every invocation that follows is on stable storage; after
//! any other answer, or none, the same events are sent again, and what was stored before is not submitted twice.

mod cloud;
mod notification;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use bide_engine::SourceEvent;
use bide_types::AccountId;
use serde::Serialize;

use crate::auth::senders;
use crate::edge::Arrival;
use crate::error::ApiError;
use crate::query::Query;
use crate::reply;
use crate::state::ApiState;

pub(crate) const CLOUD_EVENTS_PATH: &str = "/bide/v1/events";
pub(crate) const NOTIFICATIONS_PATH: &str = "/bide/v1/s3-notifications";

/// Largest body, with all of its events.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Events in one body.
const EVENTS_MAX: usize = 256;

#[derive(Serialize)]
struct Answer {
    /// Those that some trigger could wait for.
    events: usize,
    /// Submitted now.
    invocations: usize,
    /// Submitted by an earlier call for the same events.
    repeated: usize,
}

/// Takes CloudEvents in any of the modes of the HTTP binding.
pub(crate) async fn cloud_events(mut arrival: Arrival<'_>) -> Result<Response<Body>, ApiError> {
    let sender = senders::identify(arrival.state, arrival.head)?;
    let body = arrival.read_body(BODY_BYTES_MAX).await?;
    let account = sender.account(arrival.state, &body.bytes)?;
    let events = cloud::read(&arrival.head.headers, &body.bytes)?;
    publish(arrival.state, &account, events.into_iter().map(SourceEvent::Cloud).collect()).await
}

/// Takes what S3-compatible storage posts when objects change.
pub(crate) async fn notifications(mut arrival: Arrival<'_>) -> Result<Response<Body>, ApiError> {
    let keys = notification::Keys::asked(&Query::parse(arrival.head.uri.query())?)?;
    let sender = senders::identify(arrival.state, arrival.head)?;
    let body = arrival.read_body(BODY_BYTES_MAX).await?;
    let account = sender.account(arrival.state, &body.bytes)?;
    let events = notification::read(&body.bytes, keys)?;
    publish(
        arrival.state,
        &account,
        events.into_iter().map(|event| SourceEvent::Object(Box::new(event))).collect(),
    )
    .await
}

async fn publish(
    state: &ApiState,
    account: &AccountId,
    events: Vec<SourceEvent>,
) -> Result<Response<Body>, ApiError> {
    let count = events.len();
    let published = state.engine.publish(account, events).await?;
    let answer = Answer { events: count, invocations: published.accepted, repeated: published.repeated };
    let mut response = reply::json(&answer);
    *response.status_mut() = StatusCode::ACCEPTED;
    Ok(response)
}

fn check_count(count: usize) -> Result<(), ApiError> {
    if count > EVENTS_MAX {
        return Err(ApiError::invalid(format!(
            "a request has at most {EVENTS_MAX} events; send them in several"
        )));
    }
    Ok(())
}
