//! Services, functions and configurations as callers change and read them.
//!
//! Owns what a change sets off beside the change itself. The catalog does the work.

use std::sync::Arc;

use bide_types::resource::{AsyncInvokeConfig, Function, Service};
use bide_types::{AccountId, FunctionId, Qualifier};

use crate::catalog::async_config::no_config;
use crate::catalog::{FunctionEntry, Listing, Target, Versioned};
use crate::error::Error;
use crate::start::Engine;

impl Engine {
    /// # Errors
    /// [`Error::ServiceExists`], [`Error::LimitExceeded`], or when it cannot be stored.
    pub async fn create_service(&self, service: Service) -> Result<Versioned<Service>, Error> {
        self.check_open()?;
        self.shared.catalog.create_service(service).await
    }

    /// # Errors
    /// [`Error::ServiceNotFound`].
    pub fn service(&self, account: &AccountId, name: &str) -> Result<Versioned<Service>, Error> {
        self.shared.catalog.service(account, name)
    }

    /// Replaces a service; instances that know it otherwise finish what they run. `revision` is that of the object that
    /// the caller changed; `None` overwrites.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`]; [`Error::Conflict`] when another change came first.
    pub async fn replace_service(
        &self,
        service: Service,
        revision: Option<u64>,
    ) -> Result<Versioned<Service>, Error> {
        self.check_open()?;
        let (service, changed) = self.shared.catalog.replace_service(service, revision, self.now()).await?;
        changed.into_iter().for_each(|function| self.after_function_change(function));
        Ok(service)
    }

    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::ServiceNotEmpty`], [`Error::Conflict`].
    pub async fn delete_service(
        &self,
        account: &AccountId,
        name: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.shared.catalog.delete_service(account, name, revision).await
    }

    /// One page of the account's services by name, and the name that the next page starts with.
    pub fn services(
        &self,
        account: &AccountId,
        listing: &Listing,
    ) -> (Vec<Versioned<Service>>, Option<String>) {
        self.shared.catalog.services(account, listing)
    }

    /// Creates a function; its `id` and `revision` are assigned here.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::FunctionExists`], [`Error::LimitExceeded`].
    pub async fn create_function(&self, function: Function) -> Result<Versioned<Function>, Error> {
        self.check_open()?;
        self.shared.catalog.create_function(function).await
    }

    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::FunctionNotFound`].
    pub fn function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
    ) -> Result<Versioned<Function>, Error> {
        self.shared.catalog.function(account, service, function)
    }

    /// Replaces a function; instances of the old code finish what they run. `revision` as in
    /// [`Engine::replace_service`].
    ///
    /// # Errors
    /// [`Error::FunctionNotFound`]; [`Error::Conflict`] when another change came first.
    pub async fn replace_function(
        &self,
        function: Function,
        revision: Option<u64>,
    ) -> Result<Versioned<Function>, Error> {
        self.check_open()?;
        let function = self.shared.catalog.replace_function(function, revision, self.now()).await?;
        self.after_function_change(function.value.id);
        Ok(function)
    }

    /// Deletes a function with its configurations; published versions keep it. What waits for it is settled as invalid.
    ///
    /// # Errors
    /// [`Error::FunctionNotFound`], [`Error::Conflict`]; [`Error::ProvisionConfigExists`] while instances are kept ready.
    pub async fn delete_function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        self.check_open()?;
        let id =
            self.shared.catalog.delete_function(account, service, function, revision, self.now()).await?;
        self.after_function_change(id);
        Ok(())
    }

    pub(crate) fn after_function_change(&self, function: FunctionId) {
        self.shared.assign(function);
        self.shared.signals.capacity(function);
    }

    /// One page of the functions that a qualifier of a service runs, by name.
    ///
    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::VersionNotFound`], [`Error::AliasNotFound`].
    pub fn functions(
        &self,
        account: &AccountId,
        service: &str,
        qualifier: &Qualifier,
        listing: &Listing,
    ) -> Result<(Vec<Arc<Function>>, Option<String>), Error> {
        self.shared.catalog.functions(account, service, qualifier, listing)
    }

    /// Functions of the account that have task mode on for some qualifier, with those qualifiers.
    pub fn stateful_functions(&self, account: &AccountId) -> Vec<(Versioned<Function>, Vec<Qualifier>)> {
        let stateful = |entry: Arc<FunctionEntry>| {
            let configs = entry.configs().filter(|config| config.value.stateful == Some(true));
            let qualifiers: Vec<Qualifier> = configs.map(|config| config.value.qualifier.clone()).collect();
            (!qualifiers.is_empty()).then(|| (entry.function.clone(), qualifiers))
        };
        self.shared.catalog.functions_of(account).into_iter().filter_map(stateful).collect()
    }

    /// Finds what a call is addressed to.
    ///
    /// # Errors
    /// The not-found error of the first part that does not exist.
    pub fn resolve(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        qualifier: &Qualifier,
    ) -> Result<Target, Error> {
        self.shared.catalog.resolve(account, service, function, qualifier, || self.shared.share())
    }

    /// Creates or changes the configuration of a target: `change` gets the present one, or an empty one.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a destination that is not supported or is the function itself.
    pub async fn put_async_config(
        &self,
        target: &Target,
        change: impl FnOnce(&mut AsyncInvokeConfig) + Send,
    ) -> Result<Versioned<AsyncInvokeConfig>, Error> {
        self.check_open()?;
        let destinations = self.shared.destinations.as_ref();
        self.shared.catalog.put_async_config(target, destinations, self.now(), change).await
    }

    /// # Errors
    /// [`Error::AsyncConfigNotExists`].
    pub fn async_config(&self, target: &Target) -> Result<Versioned<AsyncInvokeConfig>, Error> {
        target.async_config().cloned().ok_or_else(|| no_config(target))
    }

    /// All configurations of the target's function, by qualifier.
    pub fn async_configs(&self, target: &Target) -> Vec<Versioned<AsyncInvokeConfig>> {
        target.entry.configs().cloned().collect()
    }

    /// # Errors
    /// [`Error::AsyncConfigNotExists`].
    pub async fn delete_async_config(&self, target: &Target) -> Result<(), Error> {
        self.check_open()?;
        self.shared.catalog.delete_async_config(target).await
    }
}
