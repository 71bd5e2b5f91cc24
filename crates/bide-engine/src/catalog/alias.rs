//! Aliases of the versions of a service: create, get, replace, delete, list.
//!
//! Owns that an alias names versions that exist. What waits for an alias is resolved when it runs, so a change of the
//! alias reaches it.

use std::sync::Arc;

use bide_store::{ControlKey, ControlWrite, Expected};
use bide_types::limits::ALIASES_PER_SERVICE_MAX;
use bide_types::resource::Alias;
use bide_types::{AccountId, FunctionId, Qualifier, Timestamp};

use super::stored::{alias_key, config_key_of, encode};
use super::view::{ServiceEntry, View};
use super::{Catalog, Listing, Versioned, expected, page, removal};
use crate::error::Error;

impl Catalog {
    pub(crate) async fn create_alias(&self, alias: Alias) -> Result<Versioned<Alias>, Error> {
        let changing = self.begin().await;
        let former = {
            let view = self.view();
            let service = view.service(&alias.account, alias.service.as_str())?;
            if service.aliases.contains_key(&alias.name) {
                return Err(Error::AliasExists(alias.name));
            }
            if service.aliases.len() >= ALIASES_PER_SERVICE_MAX {
                return Err(Error::LimitExceeded(format!(
                    "a service has at most {ALIASES_PER_SERVICE_MAX} aliases"
                )));
            }
            check_versions(service, &alias)?;
            // A new alias has nothing of an earlier one of its name.
            let entries = view.entries_of(service.function_ids());
            entries.iter().filter_map(|entry| entry.configs.get(&alias.name).cloned()).collect::<Vec<_>>()
        };
        let mut writes: Vec<ControlWrite> =
            former.iter().map(|config| removal(config_key_of(&config.value), config.revision)).collect();
        writes.push(write(&alias, Expected::Absent));
        self.commit(changing, writes, move |view, revision| {
            for config in former {
                view.remove_config(config.value.function, &config.value.qualifier);
            }
            show(view, alias, revision)
        })
        .await
    }

    pub(crate) fn alias(
        &self,
        account: &AccountId,
        service: &str,
        name: &Qualifier,
    ) -> Result<Versioned<Alias>, Error> {
        let view = self.view();
        let aliases = &view.service(account, service)?.aliases;
        aliases.get(name).cloned().ok_or_else(|| Error::AliasNotFound(name.clone()))
    }

    /// Replaces an alias; what identifies it stays. Also returns the functions of its service.
    pub(crate) async fn replace_alias(
        &self,
        mut alias: Alias,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<(Versioned<Alias>, Vec<FunctionId>), Error> {
        let changing = self.begin().await;
        let current = self.alias(&alias.account, alias.service.as_str(), &alias.name)?;
        let functions = {
            let view = self.view();
            let service = view.service(&alias.account, alias.service.as_str())?;
            check_versions(service, &alias)?;
            service.function_ids()
        };
        alias.created_at = current.value.created_at;
        alias.modified_at = now;
        let writes = vec![write(&alias, expected(revision))];
        let alias = self.commit(changing, writes, |view, revision| show(view, alias, revision)).await?;
        Ok((alias, functions))
    }

    /// Deletes an alias; returns the functions of its service. What waits for it is invalid from now on.
    pub(crate) async fn delete_alias(
        &self,
        account: &AccountId,
        service: &str,
        name: &Qualifier,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<Vec<FunctionId>, Error> {
        let changing = self.begin().await;
        let alias = self.alias(account, service, name)?;
        alias.check_seen(revision)?;
        let (functions, entries) = {
            let view = self.view();
            let functions = view.service(account, service)?.function_ids();
            let entries = view.entries_of(functions.iter().copied());
            (functions, entries)
        };
        let writes = vec![removal(key_of(&alias.value), alias.revision)];
        let remove = move |view: &mut View| view.remove_alias(&alias.value);
        self.leave_qualifier(changing, entries, name, now, writes, remove).await?;
        Ok(functions)
    }

    pub(crate) fn aliases(
        &self,
        account: &AccountId,
        service: &str,
        listing: &Listing,
    ) -> Result<(Vec<Versioned<Alias>>, Option<String>), Error> {
        let view = self.view();
        let aliases = &view.service(account, service)?.aliases;
        Ok(page(aliases.iter().map(|(name, alias)| (name, alias.clone())), listing))
    }
}

fn check_versions(service: &ServiceEntry, alias: &Alias) -> Result<(), Error> {
    let additional = alias.additional.map(|additional| additional.version);
    if additional == Some(alias.version) {
        return Err(Error::AdditionalVersionIsMain(alias.version));
    }
    match [Some(alias.version), additional].into_iter().flatten().find(|n| !service.versions.contains_key(n))
    {
        Some(missing) => Err(Error::VersionNotFound(Qualifier::version(missing))),
        None => Ok(()),
    }
}

fn show(view: &mut View, alias: Alias, revision: u64) -> Versioned<Alias> {
    let alias = Versioned { value: Arc::new(alias), revision };
    view.put_alias(alias.clone());
    alias
}

fn write(alias: &Alias, expected: Expected) -> ControlWrite {
    ControlWrite { key: key_of(alias), expected, value: Some(encode(alias)) }
}

fn key_of(alias: &Alias) -> ControlKey {
    alias_key(&alias.account, &alias.service, &alias.name)
}
