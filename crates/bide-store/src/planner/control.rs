//! Changes of control objects: compare revisions, then write all or nothing, and submit what goes with it.

use std::collections::BTreeMap;

use super::Planner;
use crate::control::{ControlChange, ControlConflict, Expected};
use crate::control::{ControlKey, ControlObject};
use crate::store::StoreError;

impl Planner<'_> {
    /// Plans the writes of `change` one after the other; the answer is the revision after the last.
    pub(super) fn control(
        &mut self,
        change: ControlChange,
    ) -> Result<Result<u64, ControlConflict>, StoreError> {
        let mut written: BTreeMap<ControlKey, Option<ControlObject>> = BTreeMap::new();
        let mut revision = 0;
        for write in change.writes {
            let found = match written.get(&write.key).or_else(|| self.controls.get(&write.key)) {
                Some(planned) => planned.clone(),
                None => self.reader.control(&write.key)?,
            };
            let found = found.map(|object| object.revision);
            if !is_as_expected(write.expected, found) {
                return Ok(Err(ControlConflict { key: write.key, found }));
            }
            revision = found.unwrap_or(0) + 1;
            written.insert(write.key, write.value.map(|value| ControlObject { revision, value }));
        }
        self.controls.extend(written);
        for submission in change.submissions {
            self.submit(submission)?;
        }
        Ok(Ok(revision))
    }
}

fn is_as_expected(expected: Expected, found: Option<u64>) -> bool {
    match expected {
        Expected::Absent => found.is_none(),
        Expected::Revision(revision) => found == Some(revision),
        Expected::Anything => true,
    }
}
