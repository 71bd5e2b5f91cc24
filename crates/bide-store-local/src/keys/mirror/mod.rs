//! Twins of the domain types in the form in which they are stored.
//!
//! Owns what postcard sees, so that a change of a domain type cannot change the format by accident. Postcard numbers
//! the variants of an enum in the order of the source, and has no field names: here, variants and fields are never
//! moved or removed; a change is a new `…V2` beside the old. Golden files hold this in place.

pub(crate) mod attempt_log;
pub(crate) mod delivery;
pub(crate) mod invocation;
pub(crate) mod numbers;
pub(crate) mod outcome;
