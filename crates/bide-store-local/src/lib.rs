//! The local store: everything of one node in one directory, on an embedded LSM.
//!
//! Owns the data files and is the only crate that knows them. One writer thread plans the batches that have gathered,
//! writes them as one atomic batch and flushes once (`writer`); readers look at what was flushed (`reads`); `verify`
//! checks a directory offline. What a key or value looks like is in `keys`, and in `docs/storage-format.md`.
//!
//! What a crash leaves behind, at any point: every answered batch whole; of the batches that were not answered, each
//! whole or not at all. Opening is recovery.

mod apply;
mod directory;
mod due_head;
mod head;
mod index;
mod journal;
mod keys;
mod packages;
mod published;
mod reads;
mod recover;
mod reserve;
mod state;
mod store;
mod tables;
#[cfg(test)]
mod testing;
mod txn;
mod verify;
mod writer;

pub use directory::OpenError;
pub use head::HeadLimits;
pub use store::{LocalStore, Options, RESERVE_BYTES_DEFAULT};
pub use verify::{Problem, Progress, Report, verify};
pub use writer::{FaultHook, Step};
