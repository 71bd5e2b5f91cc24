//! The local store from outside: the suite of the seam, faults, crashes, damage.

mod conformance;
mod support;
