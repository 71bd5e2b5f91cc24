//! Identifiers: what the caller chooses (tasks, requests) and what bide assigns (the rest).
//!
//! Owns their shape. Never makes one up: fresh ids come from `bide-env` or from the store.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::NAME_CHARS_MAX;
use crate::names::{NameError, is_name, text_newtype};

text_newtype!(
    /// The tenant that owns services and functions.
    AccountId, "account id",
    |text: &str| !text.is_empty() && text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
);
text_newtype!(
    /// Identifies one call; the same for all attempts of an asynchronous invocation (FC "Request-level
    /// metric logs"). 1 to 128 visible ASCII characters.
    RequestId, "request id",
    |text: &str| !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(|b| b.is_ascii_graphic())
);
text_newtype!(
    /// Identifies a task within its function (FC "InvokeFunction").
    ///
    /// [`TaskId::from_caller`] applies the caller's rule. [`TaskId::from_request`] makes the system's own ids, which
    /// may begin with a digit (fc-behaviour 3.2); [`TaskId::new`] takes both, as a store or a query must.
    TaskId, "task id",
    is_task_id
);
text_newtype!(
    /// One running copy of a function, e.g. `c-65920000-0001`.
    InstanceId, "instance id",
    |text: &str| !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(|b| b.is_ascii_graphic())
);

fn is_task_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_CHARS_MAX && text.bytes().all(|b| b.is_ascii_graphic())
}

impl TaskId {
    /// A task id as a caller may choose it.
    ///
    /// # Errors
    /// [`NameError`] unless it starts with a letter or underscore and has at most 128 letters, digits,
    /// underscores and hyphens.
    pub fn from_caller(text: &str) -> Result<Self, NameError> {
        if is_name(text) { Self::new(text) } else { Err(NameError::new("task id", text)) }
    }

    /// The task id of an invocation whose caller chose none: its request id (FC "Task deduplication").
    pub fn from_request(request: &RequestId) -> Self {
        Self(Arc::from(request.as_str()))
    }
}

/// Declares a number newtype that prints as `prefix-number`.
macro_rules! number_newtype {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-{}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

number_newtype!(
    /// bide's own number of a function. Never reused: a function created again under an old name gets a new one,
    /// so work addressed to the old one is never run by the new one.
    FunctionId, "fn"
);
number_newtype!(
    /// bide's own, time-ordered number of an asynchronous invocation; the key of everything stored about it.
    /// The upper 44 bits are the millisecond of acceptance, the lower 20 count within it.
    InvocationId, "inv"
);

impl InvocationId {
    const COUNTER_BITS: u32 = 20;

    /// The smallest id of the given millisecond: the lower edge of a time range over ids. It is no upper edge: when the
    /// clock steps back, what is accepted then gets a later id than its time says (see [`InvocationId::next`]).
    pub const fn first_at(time: crate::Timestamp) -> Self {
        Self(time.as_millis() << Self::COUNTER_BITS)
    }

    /// The id after `self` for something accepted at `now`: time-ordered, and increasing even when the clock steps
    /// back.
    #[must_use]
    pub fn next(self, now: crate::Timestamp) -> Self {
        Self((self.0 + 1).max(Self::first_at(now).0))
    }
}

#[cfg(test)]
mod tests;
