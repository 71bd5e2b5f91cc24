//! `bide verify`: whether everything in a data directory agrees, checked offline.
//!
//! Owns the checks. Records are walked once, to count the ledgers again and to look up every index entry that a record
//! calls for; then every index, body, delivery and package is walked, to find what no record calls for. Both stream:
//! memory grows with the number of functions, not of records. Never mends anything: it only opens the store, which,
//! as after a crash, may cut off a group that nobody was answered for.

mod indexes;
mod ledgers;
mod records;
mod report;

use std::collections::HashMap;
use std::path::Path;

use bide_core::Invocation;
use bide_store::StoreError;
use bide_types::{FunctionId, InvocationId};
use fjall::{KvPair, UserValue};

use crate::directory::{Directory, Missing, OpenError, PACKAGES_DIRECTORY};
use crate::keys::codec::{Undecodable, place};
use crate::keys::{Space, controls, invocations};
use crate::packages::Packages;
use crate::tables::Tables;
use ledgers::Tally;

pub use report::{Problem, Progress, Report};

/// Entries between two calls of the progress callback.
const PROGRESS_STEP: u64 = 10_000;

/// Checks the store in `path`, which no process may have open.
///
/// # Errors
/// [`OpenError`] if it cannot be opened. What is wrong inside is in the [`Report`].
pub fn verify(path: &Path, progress: &mut dyn FnMut(Progress)) -> Result<Report, OpenError> {
    let directory = Directory::open(path, Missing::Refuse)?;
    let mut check = Check {
        tables: &directory.tables,
        report: Report::default(),
        tallies: HashMap::new(),
        last_id: InvocationId::default(),
        id_lead: 0,
        progress,
    };
    check.records();
    check.ledgers();
    check.numbers();
    check.indexes();
    check.bodies();
    check.deliveries();
    check.controls();
    check.packages(path);
    Ok(check.report)
}

struct Check<'a> {
    tables: &'a Tables,
    report: Report,
    /// The records of each function, counted.
    tallies: HashMap<FunctionId, Tally>,
    /// The greatest id of a record.
    last_id: InvocationId,
    /// How far an id is ahead of its acceptance at most.
    id_lead: u64,
    progress: &'a mut dyn FnMut(Progress),
}

impl Check<'_> {
    /// Walks a keyspace. What cannot be read or understood is a problem; the walk ends where reading fails.
    fn walk(
        &mut self,
        space: Space,
        mut visit: impl FnMut(&mut Self, &[u8], &UserValue) -> Result<(), Undecodable>,
    ) {
        let tables = self.tables;
        let mut examined = 0;
        for entry in tables.scan(space) {
            let (key, value): KvPair = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    self.report.add(space.name().to_owned(), format!("{error}; the rest was not checked"));
                    break;
                }
            };
            if let Err(error) = visit(self, &key, &value) {
                self.problem(space, &key, error.to_string());
            }
            examined += 1;
            if examined % PROGRESS_STEP == 0 {
                (self.progress)(Progress { part: space.name(), examined });
            }
        }
        (self.progress)(Progress { part: space.name(), examined });
        self.report.entries.push((space.name(), examined));
    }

    fn problem(&mut self, space: Space, key: &[u8], what: String) {
        self.report.add(place(space, key), what);
    }

    /// A value; reading badly is a problem and counts as absent.
    fn get(&mut self, space: Space, key: &[u8]) -> Option<UserValue> {
        match self.tables.get(space, key) {
            Ok(value) => value,
            Err(error) => {
                self.problem(space, key, error.to_string());
                None
            }
        }
    }

    /// A record; what cannot be decoded was reported by the walk over the records.
    fn record(&mut self, id: InvocationId) -> Option<Invocation> {
        let value = self.get(Space::Invocations, &invocations::key(id))?;
        invocations::decode(id, &value).ok()
    }

    fn controls(&mut self) {
        self.walk(Space::Controls, |_, key, value| {
            controls::parse_key(key)?;
            controls::decode(value).map(drop)
        });
    }

    fn packages(&mut self, path: &Path) {
        let directory = path.join(PACKAGES_DIRECTORY);
        if !directory.exists() {
            return; // made when a server first starts
        }
        let names = Packages::open(directory).and_then(|packages| Ok((packages.names()?, packages)));
        let (names, packages) = match names {
            Ok(found) => found,
            Err(error) => return self.report.add(PACKAGES_DIRECTORY.to_owned(), error.to_string()),
        };
        for (name, examined) in names.iter().zip(1..) {
            match Packages::digest_in(name).map(|digest| packages.get(digest)) {
                Some(Ok(_)) => self.report.packages += 1,
                Some(Err(StoreError::Damaged { place, reason })) => self.report.add(place, reason),
                Some(Err(error)) => {
                    self.report.add(format!("{PACKAGES_DIRECTORY}/{name}"), error.to_string())
                }
                None if Packages::is_leftover(name) => {}
                None => {
                    self.report.add(format!("{PACKAGES_DIRECTORY}/{name}"), "it is no package".to_owned());
                }
            }
            (self.progress)(Progress { part: PACKAGES_DIRECTORY, examined });
        }
    }
}

#[cfg(test)]
mod tests;
