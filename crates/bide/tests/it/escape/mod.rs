//! Escapes: hostile functions against a real server, one test per thing that they may try.
//!
//! Each test asserts what the attempt came to, in words that the caller sees, and that a bystander on the same node did
//! not notice. What was tried and why is in `docs/security.md`. The suite runs as root and as an ordinary user
//! (`cargo xtask verify` does both). Every attempt is bounded, so that it does no harm where it succeeds.

mod files;
mod kernel;
mod network;
mod packages;
mod prison;
mod processes;
mod resources;
