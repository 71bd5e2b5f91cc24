//! The layout of everything that is stored: one file per keyspace.
//!
//! Owns keys, values and their versions. A key is made of fixed-width big-endian numbers, so that the order of bytes is
//! the order of meaning. A value begins with a version byte; what a reader does not know is damage, never skipped.
//! Numbers on disk are given once and never used again. Golden files in `testdata/` hold every layout in place, and
//! `docs/storage-format.md` describes them. Never decides what is written when: that is `apply`.

pub(crate) mod attempt_logs;
pub(crate) mod codec;
pub(crate) mod controls;
pub(crate) mod dead_letters;
pub(crate) mod deliveries;
pub(crate) mod invocations;
pub(crate) mod leases;
pub(crate) mod ledgers;
pub(crate) mod meta;
pub(crate) mod mirror;
pub(crate) mod outbox;
pub(crate) mod payloads;
pub(crate) mod queue;
pub(crate) mod results;
pub(crate) mod settled;
pub(crate) mod space;
pub(crate) mod task_ids;
pub(crate) mod task_status;
pub(crate) mod tasks;

pub(crate) use space::Space;

#[cfg(test)]
mod tests;
