//! `dead_letters`: destination records that were given up, the longest given up first; the records are in `deliveries`.
//!
//! ```text
//! key    time since when (8, microseconds), id (8)
//! value  empty
//! ```

pub(crate) use super::settled::{key, parse_key};
