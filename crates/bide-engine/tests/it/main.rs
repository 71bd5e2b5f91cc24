//! The engine over the in-memory store, a scripted executor and a clock that tests move by hand.

mod acceptance;
mod catalog;
mod destinations;
mod faults;
mod fixture;
mod http;
mod lifecycle;
mod logs;
mod retention;
mod stops;
mod targets;
mod timers;
mod timers_alias;
mod timers_week;
mod troubled;
mod versions;
