//! A sandbox whose program waits to be told what it is for.

use std::fmt;

use crate::{Adoption, LaunchError, Process, ProcessHandle};

use super::link::Link;
use super::transit;

/// A process in a sandbox that is not finished: see [`crate::Launcher::stand_by`]. Ends when this is dropped.
pub struct Standby {
    process: Process,
    link: Link,
    id: u64,
}

impl fmt::Debug for Standby {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Standby").field("process", &self.process).finish_non_exhaustive()
    }
}

impl Standby {
    pub(super) fn new(process: Process, link: Link, id: u64) -> Self {
        Self { process, link, id }
    }

    pub fn handle(&self) -> ProcessHandle {
        self.process.handle()
    }

    /// Finishes the sandbox. Resolves when all of it is in force; the program does not know then, and must be told by
    /// whoever started it.
    ///
    /// # Errors
    /// [`LaunchError`]; [`LaunchError::Gone`] if it has ended. The process has ended in any case, or is about to.
    pub async fn adopt(self, adoption: &Adoption) -> Result<Process, LaunchError> {
        let late = transit::late(adoption).map_err(|source| LaunchError::Sandbox {
            step: "say what a standby is for".to_owned(),
            source,
        })?;
        self.link.adopt(self.id, Box::new(late)).await?;
        Ok(self.process)
    }
}
