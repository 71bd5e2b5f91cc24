//! Published versions of a service: publish, get, list, delete.
//!
//! Owns that a version is a snapshot of the service and all its functions, with a number that is never given twice, and
//! that one which an alias names stays. The number and the version are stored in one commit.

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::limits::VERSIONS_PER_SERVICE_MAX;
use bide_types::resource::{Function, Service, ServiceVersion};
use bide_types::{AccountId, FunctionId, Qualifier, Timestamp};

use super::entry::VersionEntry;
use super::stored::{encode, service_key, version_key};
use super::view::ServiceEntry;
use super::{Catalog, Versioned, removal};
use crate::error::Error;

/// A published version without its functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedVersion {
    pub number: u32,
    pub description: String,
    pub created_at: Timestamp,
}

/// Which part of a list of versions.
#[derive(Clone, Copy, Debug)]
pub struct VersionListing {
    pub newest_first: bool,
    /// First number to return, itself included.
    pub start: Option<u32>,
    /// Most items to return.
    pub limit: usize,
}

impl Catalog {
    /// Publishes the service as it is; `revision` is what the caller saw of it.
    pub(crate) async fn publish_version(
        &self,
        account: &AccountId,
        service: &str,
        description: String,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<PublishedVersion, Error> {
        let changing = self.begin().await;
        let (current, functions) = {
            let view = self.view();
            let entry = view.service(account, service)?;
            if entry.versions.len() >= VERSIONS_PER_SERVICE_MAX {
                return Err(Error::LimitExceeded(format!(
                    "a service has at most {VERSIONS_PER_SERVICE_MAX} published versions; delete some"
                )));
            }
            let functions = entry.functions.values().map(|function| function.value.as_ref().clone());
            (entry.service.clone(), functions.collect::<Vec<Function>>())
        };
        current.check_seen(revision)?;
        let mut service = current.value.as_ref().clone();
        service.last_version += 1;
        let number = service.last_version;
        let version =
            ServiceVersion { service: service.clone(), number, description, functions, created_at: now };
        let published = PublishedVersion::of(&version);
        let count = ControlWrite {
            key: service_key(&service.account, &service.name),
            expected: Expected::Revision(current.revision),
            value: Some(encode(&service)),
        };
        let snapshot = ControlWrite {
            key: version_key(&service.account, &service.name, number),
            expected: Expected::Absent,
            value: Some(encode(&version)),
        };
        // The revision that the commit answers with is that of its last write.
        self.commit(changing, vec![snapshot, count], move |view, revision| {
            view.put_service(Versioned { value: Arc::new(service), revision });
            view.put_version(version, VersionEntry::FIRST_REVISION);
        })
        .await?;
        Ok(published)
    }

    /// A service as it is, or as it was published under the qualifier.
    pub(crate) fn service_at(
        &self,
        account: &AccountId,
        service: &str,
        qualifier: &Qualifier,
    ) -> Result<Arc<Service>, Error> {
        let view = self.view();
        let entry = view.service(account, service)?;
        let version = entry.version_of(qualifier)?;
        Ok(version.map_or_else(|| Arc::clone(&entry.service.value), |version| Arc::clone(&version.service)))
    }

    /// One page of versions in the order of their numbers, and the number that the next page starts with.
    pub(crate) fn versions(
        &self,
        account: &AccountId,
        service: &str,
        listing: VersionListing,
    ) -> Result<(Vec<PublishedVersion>, Option<u32>), Error> {
        let view = self.view();
        let versions = view.service(account, service)?.versions.iter();
        let described = |(number, entry): (&u32, &VersionEntry)| PublishedVersion {
            number: *number,
            description: entry.description.clone(),
            created_at: entry.created_at,
        };
        let found: Vec<PublishedVersion> = if listing.newest_first {
            let from = |version: &(&u32, _)| listing.start.is_none_or(|start| *version.0 <= start);
            versions.rev().filter(from).take(listing.limit + 1).map(described).collect()
        } else {
            let from = |version: &(&u32, _)| listing.start.is_none_or(|start| *version.0 >= start);
            versions.filter(from).take(listing.limit + 1).map(described).collect()
        };
        let next = found.get(listing.limit).map(|version| version.number);
        Ok((found.into_iter().take(listing.limit).collect(), next))
    }

    pub(crate) fn version(
        &self,
        account: &AccountId,
        service: &str,
        version: &Qualifier,
    ) -> Result<PublishedVersion, Error> {
        let view = self.view();
        let (number, entry) = view.service(account, service)?.published(version)?;
        let (description, created_at) = (entry.description.clone(), entry.created_at);
        Ok(PublishedVersion { number, description, created_at })
    }

    /// Deletes a version; returns the functions that it held.
    pub(crate) async fn delete_version(
        &self,
        account: &AccountId,
        service: &str,
        version: &Qualifier,
        now: Timestamp,
    ) -> Result<Vec<FunctionId>, Error> {
        let changing = self.begin().await;
        let (entries, name, number, writes) = {
            let view = self.view();
            let service = view.service(account, service)?;
            let (number, held) = service.published(version)?;
            check_unnamed(service, number)?;
            let entries = view.entries_of(held.functions.values().map(|function| function.id));
            let name = service.service.value.name.clone();
            let writes = vec![removal(version_key(account, &name, number), held.revision)];
            (entries, name, number, writes)
        };
        let functions = entries.iter().map(|entry| entry.id()).collect();
        let account = account.clone();
        let leave = move |view: &mut super::view::View| view.remove_version(&account, &name, number);
        self.leave_qualifier(changing, entries, version, now, writes, leave).await?;
        Ok(functions)
    }
}

impl PublishedVersion {
    fn of(version: &ServiceVersion) -> Self {
        let ServiceVersion { number, description, created_at, .. } = version;
        Self { number: *number, description: description.clone(), created_at: *created_at }
    }
}

/// An alias must never name a version that does not exist.
fn check_unnamed(service: &ServiceEntry, number: u32) -> Result<(), Error> {
    let named = |alias: &&Versioned<bide_types::resource::Alias>| {
        let alias = &alias.value;
        alias.version == number || alias.additional.is_some_and(|additional| additional.version == number)
    };
    match service.aliases.values().find(named) {
        Some(alias) => Err(Error::VersionInUse { version: number, alias: alias.value.name.clone() }),
        None => Ok(()),
    }
}
