//! Which functions have series of their own.
//!
//! Owns the bound on label values that callers choose: names of functions.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, RwLock};

use bide_types::FunctionId;
use bide_types::resource::Function;

use super::families::{Families, Series};

/// Functions with series of their own, about 100 lines of text each. The rest is counted together.
pub(crate) const FUNCTIONS_NAMED_MAX: usize = 500;
/// The label value of the rest; no service or function can have this name, and no account.
pub(crate) const OTHER: &str = "_other";

pub(super) const FUNCTION_LABELS: [&str; 3] = ["account", "service", "function"];

/// The values of [`FUNCTION_LABELS`].
pub(super) type Labels = [String; 3];

/// The functions that were counted, at most those that exist and those deleted since the last look.
#[derive(Default)]
pub(super) struct Table {
    functions: RwLock<HashMap<FunctionId, Arc<Series>>>,
}

impl Table {
    pub(super) fn series(&self, families: &Families, function: &Function) -> Arc<Series> {
        if let Some(series) = self.functions.read().expect(FREE).get(&function.id) {
            return Arc::clone(series);
        }
        let mut functions = self.functions.write().expect(FREE);
        let named: HashSet<&Labels> = functions.values().map(|series| &series.labels).collect();
        let own = own(function);
        let labels = if named.len() < FUNCTIONS_NAMED_MAX || named.contains(&own) { own } else { other() };
        let series = functions.entry(function.id).or_insert_with(|| Arc::new(families.series(labels)));
        Arc::clone(series)
    }

    pub(super) fn labels(&self, families: &Families, function: &Function) -> Labels {
        self.series(families, function).labels.clone()
    }

    /// Knows the functions that are `live`, and drops all others.
    pub(super) fn keep<'a>(&self, families: &Families, live: impl Iterator<Item = &'a Function>) {
        let live: HashSet<FunctionId> =
            live.map(|function| (self.series(families, function), function.id).1).collect();
        let mut functions = self.functions.write().expect(FREE);
        let mut gone = HashSet::new();
        functions.retain(|id, series| {
            let keep = live.contains(id);
            if !keep {
                gone.insert(series.labels.clone());
            }
            keep
        });
        // A function that was made anew has the labels of the one before it.
        functions.values().for_each(|series| {
            gone.remove(&series.labels);
        });
        gone.iter().for_each(|labels| families.remove(labels));
    }
}

const FREE: &str = "nobody panics while holding the table";

fn own(function: &Function) -> Labels {
    [function.account.to_string(), function.service.to_string(), function.name.to_string()]
}

fn other() -> Labels {
    [OTHER; 3].map(str::to_owned)
}
