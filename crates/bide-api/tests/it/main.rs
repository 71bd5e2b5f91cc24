//! The edge as callers see it: signed requests through the whole router, an engine on the in-memory store, and an
//! executor that does what the event says.

mod async_config;
mod connection;
mod dead_letters;
mod events;
mod fixture;
mod functions;
mod http_calls;
mod http_domains;
mod http_script;
mod http_streams;
mod invoke_async;
mod invoke_sync;
mod layers;
mod requests;
mod scaling;
mod services;
mod task_logs;
mod tasks;
mod triggers;
mod versions;
