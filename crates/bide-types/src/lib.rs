//! The vocabulary of bide: ids, names, time, limits, error codes and resource descriptions.
//!
//! Owns validation: a value of one of these types is valid, so nobody downstream checks again.
//! Never does I/O, reads a clock or draws a random number. Nothing here survives or breaks in a crash.

pub mod error_code;
pub mod ids;
pub mod limits;
pub mod line;
pub mod names;
pub mod resource;
pub mod time;
pub mod trace;

pub use error_code::ErrorCode;
pub use ids::{AccountId, FunctionId, InstanceId, InvocationId, RequestId, TaskId};
pub use line::Line;
pub use names::{
    DomainName, DomainNameError, FunctionName, LayerName, NameError, Qualifier, ServiceName, TriggerName,
};
pub use time::Timestamp;
pub use trace::TraceParent;
