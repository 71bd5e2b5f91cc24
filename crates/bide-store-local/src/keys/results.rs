//! `results`: what the function returned, or its error JSON; kept while the settled record is.
//!
//! ```text
//! key    id (8)
//! value  version (1), the body as it came
//! ```

pub(crate) use super::payloads::{decode, encode, key, parse_key};
