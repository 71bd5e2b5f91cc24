//! Functions: create, get, replace, delete, list.
//!
//! A function that is created again under an old name gets a new id, so work and tasks of the old one stay its own.

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::limits::FUNCTIONS_PER_SERVICE_MAX;
use bide_types::resource::Function;
use bide_types::{AccountId, FunctionId, Timestamp};

use super::retired::Retired;
use super::stored::{config_key_of, encode, function_key, function_sequence_key, scaling_key};
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
        Ok(self.view().function(account, service, function)?.function.clone())
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

    /// Deletes a function and its configurations; returns its id. What must still be known of it is retired.
    pub(crate) async fn delete_function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<FunctionId, Error> {
        let changing = self.begin().await;
        let entry = Arc::clone(self.view().function(account, service, function)?);
        let current = &entry.function;
        current.check_seen(revision)?;
        if !entry.triggers.is_empty() {
            return Err(Error::FunctionNotEmpty(current.value.name.clone()));
        }
        if entry.scaling.values().any(|scaling| scaling.value.provisioned > 0) {
            return Err(Error::ProvisionConfigExists(current.value.name.clone()));
        }
        let mut writes = vec![removal(function_write(&current.value).key, current.revision)];
        writes.extend(
            entry.configs.values().map(|config| removal(config_key_of(&config.value), config.revision)),
        );
        writes.extend(entry.scaling.values().map(|scaling| {
            removal(scaling_key(scaling.value.function, &scaling.value.qualifier), scaling.revision)
        }));
        let retired = Retired::of(&entry, now);
        writes.extend(retired.as_ref().map(Retired::write));
        self.commit(changing, writes, move |view, revision| {
            view.remove_function(&entry.function.value);
            if let Some(retired) = retired {
                retired.show(view, revision);
            }
            entry.function.value.id
        })
        .await
    }

    pub(crate) fn functions(
        &self,
        account: &AccountId,
        service: &str,
        listing: &Listing,
    ) -> Result<(Vec<Versioned<Function>>, Option<String>), Error> {
        let view = self.view();
        let functions = &view.service(account, service)?.functions;
        Ok(page(functions.iter().map(|(name, entry)| (name, entry.function.clone())), listing))
    }

    /// Every function of the account, in the order of service and name.
    pub(crate) fn functions_of(&self, account: &AccountId) -> Vec<Arc<FunctionEntry>> {
        let view = self.view();
        let Some(services) = view.accounts.get(account) else { return Vec::new() };
        services.values().flat_map(|service| service.functions.values().cloned()).collect()
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
