//! The retry and expiry rules that apply to one attempt, and the destinations of its end.
//!
//! Owns defaults. The values come from the asynchronous invocation configuration in force when the invocation is
//! dequeued.

use std::collections::BTreeMap;
use std::time::Duration;

use bide_types::Qualifier;
use bide_types::limits::{EVENT_AGE_DEFAULT, RETRY_ATTEMPTS_DEFAULT};

/// The configuration of one qualifier, defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Retries after function errors; runs are one more.
    pub retries_max: u32,
    pub age_max: Duration,
    /// Resource name of the destination for a success.
    pub on_success: Option<String>,
    /// Resource name of the destination for every other end.
    pub on_failure: Option<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            retries_max: RETRY_ATTEMPTS_DEFAULT,
            age_max: EVENT_AGE_DEFAULT,
            on_success: None,
            on_failure: None,
        }
    }
}

/// The policies of one function, by qualifier. A qualifier that is not in the table is gone, and what waits for it
/// is invalid; so a function that was deleted has an empty table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTable(pub BTreeMap<Qualifier, Policy>);

impl PolicyTable {
    pub fn get(&self, qualifier: &Qualifier) -> Option<&Policy> {
        self.0.get(qualifier)
    }
}
