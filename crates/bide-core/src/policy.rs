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

/// The policies of one function, by qualifier. What waits for a qualifier without a policy in force is invalid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTable {
    in_force: BTreeMap<Qualifier, Policy>,
    former: BTreeMap<Qualifier, Policy>,
}

impl PolicyTable {
    /// The table of a function that exists: `former` are those of its qualifiers that are gone.
    pub fn new(
        in_force: impl IntoIterator<Item = (Qualifier, Policy)>,
        former: impl IntoIterator<Item = (Qualifier, Policy)>,
    ) -> Self {
        Self { in_force: in_force.into_iter().collect(), former: former.into_iter().collect() }
    }

    /// The table of a function all of whose qualifiers are there.
    pub fn in_force(policies: impl IntoIterator<Item = (Qualifier, Policy)>) -> Self {
        Self::new(policies, [])
    }

    /// The table of a function that was deleted: its policies only say who hears of what can no longer run.
    pub fn former(policies: impl IntoIterator<Item = (Qualifier, Policy)>) -> Self {
        Self::new([], policies)
    }

    /// The policy in force for `qualifier`; `None` when the qualifier is gone.
    pub fn get(&self, qualifier: &Qualifier) -> Option<&Policy> {
        self.in_force.get(qualifier)
    }

    /// The last policy of a qualifier that is gone.
    pub fn get_former(&self, qualifier: &Qualifier) -> Option<&Policy> {
        self.former.get(qualifier)
    }
}
