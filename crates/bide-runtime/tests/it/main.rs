//! The pools and runtimes with real interpreters and real processes.

#![allow(clippy::unwrap_used)] // helpers of tests

mod custom;
mod node;
mod pools;
mod python;
mod world;
