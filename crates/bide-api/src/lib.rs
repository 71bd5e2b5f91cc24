//! The edge of bide: HTTP in, calls of the engine out, HTTP back.
//!
//! Owns authentication, the wire form of each API generation (one module each), error bodies, and the bounds on what
//! a caller may send. The generations are thin translations into one domain, and the domain knows none of them. Never
//! touches the store: every operation is one call of the engine.
//!
//! A crash leaves nothing here. A caller whose answer was still under way cannot know whether its call took effect;
//! an asynchronous one was stored if it was answered with 202, and it may have been stored if it was not answered.

pub mod auth;
mod bide_v1;
mod body;
mod caught;
mod checksum;
mod code_package;
mod code_url;
mod destination;
mod edge;
pub mod error;
mod fields;
mod function_fields;
mod health;
mod http_function;
mod invocation;
mod path;
mod query;
mod reply;
mod serve;
mod state;
mod v2016_08_15;

use std::sync::Arc;

use axum::Router;

pub use error::ApiError;
pub use serve::{CONNECTIONS_MAX, HEADER_BYTES_MAX, HEADER_READ_MAX, HEADERS_MAX, serve};
pub use state::{ApiState, Domains, PublicAddress};

/// All routes of this server. They are matched by hand, so that a request has its id, its error body and its bounds
/// whatever its path.
pub fn router(state: Arc<ApiState>) -> Router {
    Router::new().fallback(edge::answer).with_state(state)
}
