//! The real binary with real functions, from the outside.
//!
//! Every test starts its own server on a port that the kernel chooses, with data in a directory of its own, and talks
//! to it as any client does. A test waits for conditions with a deadline, never for time to pass; whatever happens, no
//! process outlives it.

#![allow(clippy::unwrap_used)] // helpers of tests

mod cli;
mod contract;
mod crash;
mod curl;
mod custom;
mod destinations;
mod escape;
mod examples;
mod faults;
mod hooks;
mod http;
mod instances;
mod lifecycle;
mod misbehaviour;
mod monitoring;
mod provisioned;
mod refusals;
mod shapes;
mod shapes_http;
mod sources;
mod standbys;
mod stops;
mod supervisor;
mod support;
mod tasks;
mod timers;
mod versions;
