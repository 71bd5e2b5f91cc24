//! The outside world as an input: time and randomness.
//!
//! Owns the only places that read the real clock or draw entropy (`clippy.toml` bans them elsewhere), and their
//! controlled twins for tests. Never decides anything. Nothing here survives a crash.

mod clock;
mod entropy;

pub use clock::{Clock, ManualClock, SystemClock};
pub use entropy::{Entropy, SequenceEntropy, SystemEntropy, derived_request_id, fraction, request_id};
