//! Versions and aliases of services as callers publish, change and read them.
//!
//! Owns what goes with a change: the executor hears of it, and what waits for a qualifier looks again. The catalog does
//! the work.

use std::sync::Arc;

use bide_types::resource::{Alias, Service};
use bide_types::{AccountId, FunctionId, Qualifier};

use crate::catalog::{Listing, PublishedVersion, VersionListing, Versioned};
use crate::error::Error;
use crate::start::Engine;

impl Engine {
    /// Publishes a service with all its functions as they are, under the next number. `revision` as in
    /// [`Engine::replace_service`].
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::LimitExceeded`]; [`Error::Conflict`] when the service was changed meanwhile.
    pub async fn publish_version(
        &self,
        account: &AccountId,
        service: &str,
        description: String,
        revision: Option<u64>,
    ) -> Result<PublishedVersion, Error> {
        self.check_open()?;
        self.shared.catalog.publish_version(account, service, description, revision, self.now()).await
    }

    /// A service as it is, or as it was published under a qualifier.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::VersionNotFound`], [`Error::AliasNotFound`].
    pub fn service_at(
        &self,
        account: &AccountId,
        service: &str,
        qualifier: &Qualifier,
    ) -> Result<Arc<Service>, Error> {
        self.shared.catalog.service_at(account, service, qualifier)
    }

    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::VersionNotFound`].
    pub fn version(
        &self,
        account: &AccountId,
        service: &str,
        version: &Qualifier,
    ) -> Result<PublishedVersion, Error> {
        self.shared.catalog.version(account, service, version)
    }

    /// One page of versions in the order of their numbers, and the number that the next page starts with.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`].
    pub fn versions(
        &self,
        account: &AccountId,
        service: &str,
        listing: VersionListing,
    ) -> Result<(Vec<PublishedVersion>, Option<u32>), Error> {
        self.shared.catalog.versions(account, service, listing)
    }

    /// Deletes a version. What waits for it is settled as invalid.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::VersionNotFound`]; [`Error::VersionInUse`] while an alias names it;
    /// [`Error::ProvisionConfigExists`] while instances are kept ready for it.
    pub async fn delete_version(
        &self,
        account: &AccountId,
        service: &str,
        version: &Qualifier,
    ) -> Result<(), Error> {
        self.check_open()?;
        let functions = self.shared.catalog.delete_version(account, service, version, self.now()).await?;
        self.after_service_change(functions);
        Ok(())
    }

    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::AliasExists`], [`Error::LimitExceeded`]; [`Error::VersionNotFound`] and
    /// [`Error::AdditionalVersionIsMain`] for what it names.
    pub async fn create_alias(&self, alias: Alias) -> Result<Versioned<Alias>, Error> {
        self.check_open()?;
        self.shared.catalog.create_alias(alias).await
    }

    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::AliasNotFound`].
    pub fn alias(
        &self,
        account: &AccountId,
        service: &str,
        name: &Qualifier,
    ) -> Result<Versioned<Alias>, Error> {
        self.shared.catalog.alias(account, service, name)
    }

    /// Replaces an alias; what waits for it follows. `revision` as in [`Engine::replace_service`].
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::AliasNotFound`], [`Error::Conflict`]; [`Error::VersionNotFound`] and
    /// [`Error::AdditionalVersionIsMain`] for what it names.
    pub async fn replace_alias(
        &self,
        alias: Alias,
        revision: Option<u64>,
    ) -> Result<Versioned<Alias>, Error> {
        self.check_open()?;
        let (alias, functions) = self.shared.catalog.replace_alias(alias, revision, self.now()).await?;
        self.after_service_change(functions);
        Ok(alias)
    }

    /// Deletes an alias. What waits for it is settled as invalid.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::AliasNotFound`], [`Error::Conflict`]; [`Error::ProvisionConfigExists`] while
    /// instances are kept ready for it.
    pub async fn delete_alias(
        &self,
        account: &AccountId,
        service: &str,
        name: &Qualifier,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        self.check_open()?;
        let functions =
            self.shared.catalog.delete_alias(account, service, name, revision, self.now()).await?;
        self.after_service_change(functions);
        Ok(())
    }

    /// One page of a service's aliases by name, and the name that the next page starts with.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`].
    pub fn aliases(
        &self,
        account: &AccountId,
        service: &str,
        listing: &Listing,
    ) -> Result<(Vec<Versioned<Alias>>, Option<String>), Error> {
        self.shared.catalog.aliases(account, service, listing)
    }

    fn after_service_change(&self, functions: Vec<FunctionId>) {
        functions.into_iter().for_each(|function| self.after_function_change(function));
    }
}
