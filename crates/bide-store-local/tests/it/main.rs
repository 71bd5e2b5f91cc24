//! The local store from outside: the suite of the seam, faults, crashes, damage.

mod conformance;
mod crash;
mod directory;
mod faults;
mod full_disk;
mod groups;
mod listing;
mod packages;
mod retention;
mod support;
