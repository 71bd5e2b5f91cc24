//! `outbox`: the order in which destination records are due; the records are in `deliveries`.
//!
//! ```text
//! key    due (8, microseconds), id (8)
//! value  empty
//! ```

pub(crate) use super::settled::{key, parse_key};
