//! The pools and runtimes with real interpreters and real processes.

#![allow(clippy::unwrap_used)] // helpers of tests

mod attempt_logs;
mod custom;
mod custom_http;
mod lifecycle;
mod node;
mod node_http;
mod pools;
mod python;
mod python_http;
mod world;
