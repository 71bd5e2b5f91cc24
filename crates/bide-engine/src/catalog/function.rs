//! Functions: create, get, replace, delete, list.
//!
//! A function that is created again under an old name gets a new id, so work and tasks of the old one stay its own.

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::limits::FUNCTIONS_PER_SERVICE_MAX;
use bide_types::resource::Function;
use bide_types::{AccountId, FunctionId, Qualifier, Timestamp};

use super::stored::{encode, function_key, function_sequence_key};
use super::view::View;
use super::{Catalog, FunctionEntry, Listing, Versioned, expected, page, removal};
use crate::error::Error;

impl Catalog {
    /// Creates a function; its id and revision are assigned here, whatever `function` says.
    pub(crate) async fn create_function(&self, mut function: Function) -> Result<Versioned<Function>, Error> {
        let changing = self.begin().await;
        let sequence = {
            let view = self.view();
            let service = view.service(&function.account, function.service.as_str())?;
            if service.functions.contains_key(&function.name) {
                return Err(Error::FunctionExists { service: function.service, function: function.name });
            }
            if service.functions.len() >= FUNCTIONS_PER_SERVICE_MAX {
                return Err(Error::LimitExceeded(format!(
                    "a service has at most {FUNCTIONS_PER_SERVICE_MAX} functions"
                )));
            }
            view.sequence
        };
        let id = sequence.map_or(0, |(last, _)| last) + 1;
        function.id = FunctionId::new(id);
        function.revision = 1;
        let next = ControlWrite {
            key: function_sequence_key(),
            expected: sequence.map_or(Expected::Absent, |(_, revision)| Expected::Revision(revision)),
            value: Some(encode(&id)),
        };
        let write = ControlWrite { expected: Expected::Absent, ..function_write(&function) };
        self.commit(changing, vec![next, write], move |view, revision| {
            view.sequence = Some((id, sequence.map_or(0, |(_, revision)| revision) + 1));
            show(view, function, revision)
        })
        .await
    }

    pub(crate) fn function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
    ) -> Result<Versioned<Function>, Error> {
        Ok(self.view().function(account, service, function, &Qualifier::latest())?.function.clone())
    }

    /// Replaces a function's code or configuration; what identifies it stays.
    pub(crate) async fn replace_function(
        &self,
        mut function: Function,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<Versioned<Function>, Error> {
        let changing = self.begin().await;
        let current = self.function(&function.account, function.service.as_str(), function.name.as_str())?;
        function.id = current.value.id;
        function.created_at = current.value.created_at;
        function.revision = current.value.revision + 1;
        function.modified_at = now;
        let write = ControlWrite { expected: expected(revision), ..function_write(&function) };
        self.commit(changing, vec![write], |view, revision| show(view, function, revision)).await
    }

    /// Deletes a function, of which published versions stay as they are; returns its id. Once no version has it, what must
    /// still be known of it is retired.
    pub(crate) async fn delete_function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<FunctionId, Error> {
        let changing = self.begin().await;
        let latest = Qualifier::latest();
        let entry = Arc::clone(self.view().function(account, service, function, &latest)?);
        let current = entry.function.clone();
        current.check_seen(revision)?;
        if !entry.triggers.is_empty() {
            return Err(Error::FunctionNotEmpty(current.value.name.clone()));
        }
        let writes = vec![removal(function_write(&current.value).key, current.revision)];
        let id = entry.id();
        let remove = move |view: &mut View| view.remove_function(&current.value);
        self.leave_qualifier(changing, vec![entry], &latest, now, writes, remove).await?;
        Ok(id)
    }

    /// One page of the functions that a qualifier of a service runs, by name.
    pub(crate) fn functions(
        &self,
        account: &AccountId,
        service: &str,
        qualifier: &Qualifier,
        listing: &Listing,
    ) -> Result<(Vec<Arc<Function>>, Option<String>), Error> {
        let view = self.view();
        let entry = view.service(account, service)?;
        Ok(match entry.version_of(qualifier)? {
            None => {
                let latest = entry.functions.iter();
                page(latest.map(|(name, function)| (name, Arc::clone(&function.value))), listing)
            }
            Some(version) => {
                let published = version.functions.iter();
                page(published.map(|(name, function)| (name, Arc::clone(function))), listing)
            }
        })
    }

    /// Every function of the account, those that only versions have included, in the order of service and name.
    pub(crate) fn functions_of(&self, account: &AccountId) -> Vec<Arc<FunctionEntry>> {
        let view = self.view();
        let Some(services) = view.accounts.get(account) else { return Vec::new() };
        let mut entries: Vec<_> =
            services.values().flat_map(|service| view.entries_of(service.function_ids())).collect();
        entries.sort_by(|one, other| {
            let place = |entry: &FunctionEntry| {
                let function = &entry.function.value;
                (function.service.clone(), function.name.clone(), function.id)
            };
            place(one).cmp(&place(other))
        });
        entries
    }
}

fn show(view: &mut View, function: Function, revision: u64) -> Versioned<Function> {
    let function = Versioned { value: Arc::new(function), revision };
    view.put_function(function.clone());
    function
}

fn function_write(function: &Function) -> ControlWrite {
    ControlWrite {
        key: function_key(&function.account, &function.service, &function.name),
        expected: Expected::Anything,
        value: Some(encode(function)),
    }
}
