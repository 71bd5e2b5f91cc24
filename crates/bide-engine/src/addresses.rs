//! Triggers and custom domains as callers change and read them, and what an HTTP call under one of their addresses
//! reaches.
//!
//! Owns the conditions of reaching a function over HTTP that do not depend on who calls: a trigger for the qualifier, a
//! route, a method. The catalog does the work.

use std::collections::BTreeSet;

use bide_types::resource::{CustomDomain, HttpMethod, HttpTrigger, Trigger};
use bide_types::{AccountId, Qualifier};

use crate::catalog::{Listing, Target, Versioned};
use crate::error::Error;
use crate::start::Engine;

/// What an HTTP call is addressed to.
#[derive(Clone)]
pub struct HttpTarget {
    target: Target,
    /// What the route of a custom domain allows; empty is everything.
    route_methods: BTreeSet<HttpMethod>,
}

impl HttpTarget {
    /// # Errors
    /// [`Error::TriggerNotFound`] when the qualifier has no HTTP trigger.
    fn new(target: Target, route_methods: BTreeSet<HttpMethod>) -> Result<Self, Error> {
        if target.http_trigger().is_none() {
            let (function, qualifier) = (target.function(), &target.qualifier);
            return Err(Error::TriggerNotFound(format!(
                "function '{}' in service '{}' has no HTTP trigger for qualifier '{qualifier}'",
                function.name, function.service
            )));
        }
        Ok(Self { target, route_methods })
    }

    /// For a call that came by an address of the trigger itself.
    fn own(target: Target) -> Result<Self, Error> {
        let found = Self::new(target, BTreeSet::new())?;
        if found.trigger().own_addresses_disabled {
            return Err(Error::AccessDenied(
                "the HTTP trigger has its own addresses disabled (disableURLInternet); use a custom domain"
                    .to_owned(),
            ));
        }
        Ok(found)
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    pub fn trigger(&self) -> &HttpTrigger {
        self.target.http_trigger().expect("checked when this was made, and a target never changes")
    }

    /// # Errors
    /// [`Error::AccessDenied`] for a method that the trigger or the route does not list.
    pub fn check_method(&self, method: &http::Method) -> Result<(), Error> {
        let listed = HttpMethod::parse(method.as_str()).is_some_and(|method| {
            self.trigger().methods.contains(&method)
                && (self.route_methods.is_empty() || self.route_methods.contains(&method))
        });
        if listed { Ok(()) } else { Err(Error::AccessDenied(format!("method {method} is not allowed here"))) }
    }
}

impl Engine {
    /// What the path form of an HTTP call reaches.
    ///
    /// # Errors
    /// The not-found error of the first part that does not exist; [`Error::AccessDenied`] when the trigger has its own
    /// addresses disabled.
    pub fn http_target(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        qualifier: &Qualifier,
    ) -> Result<HttpTarget, Error> {
        HttpTarget::own(self.resolve(account, service, function, qualifier)?)
    }

    /// What a call to a subdomain reaches.
    ///
    /// # Errors
    /// [`Error::DomainNotFound`] with `host`; that of a qualifier that is gone; [`Error::AccessDenied`] as in
    /// [`Engine::http_target`].
    pub fn http_target_of_subdomain(&self, label: &str, host: &str) -> Result<HttpTarget, Error> {
        let target = self.shared.catalog.by_subdomain(label, || self.shared.share());
        HttpTarget::own(target.ok_or_else(|| Error::DomainNotFound(host.to_owned()))??)
    }

    /// What a call to a custom domain reaches; `None` if `host` is none.
    ///
    /// # Errors
    /// [`Error::DomainRouteNotFound`], or as in [`Engine::http_target`].
    pub fn http_target_of_domain(&self, host: &str, path: &str) -> Option<Result<HttpTarget, Error>> {
        let domain = self.shared.catalog.named_domain(host)?.value;
        let found = domain.route(path).ok_or_else(|| Error::DomainRouteNotFound(domain.name.clone()));
        Some(found.and_then(|route| {
            let (service, function) = (route.service.as_str(), route.function.as_str());
            let target = self.resolve(&domain.account, service, function, &route.qualifier)?;
            HttpTarget::new(target, route.methods.clone())
        }))
    }

    /// # Errors
    /// [`Error::TriggerExists`] for a name, or a second HTTP trigger of a qualifier; [`Error::LimitExceeded`];
    /// [`Error::InvalidArgument`] for a timer that can never fire; [`Error::VersionNotFound`] and [`Error::AliasNotFound`]
    /// for a qualifier that does not run the function; [`Error::Conflict`] when that is gone.
    pub async fn create_trigger(
        &self,
        target: &Target,
        trigger: Trigger,
    ) -> Result<Versioned<Trigger>, Error> {
        self.check_open()?;
        let trigger = self.shared.catalog.create_trigger(target, trigger).await?;
        self.shared.signals.timers.notify_one();
        Ok(trigger)
    }

    /// # Errors
    /// [`Error::TriggerNotFound`], or that of the function.
    pub fn trigger(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        name: &str,
    ) -> Result<Versioned<Trigger>, Error> {
        self.shared.catalog.trigger(account, service, function, name)
    }

    /// Replaces a trigger of a target's function. `revision` as in [`Engine::replace_service`].
    ///
    /// # Errors
    /// [`Error::TriggerExists`] when the new qualifier has an HTTP trigger; [`Error::InvalidArgument`] for a timer that
    /// can never fire; [`Error::VersionNotFound`], [`Error::AliasNotFound`]; [`Error::Conflict`].
    pub async fn replace_trigger(
        &self,
        target: &Target,
        trigger: Trigger,
        revision: Option<u64>,
    ) -> Result<Versioned<Trigger>, Error> {
        self.check_open()?;
        let trigger = self.shared.catalog.replace_trigger(target, trigger, revision, self.now()).await?;
        self.shared.signals.timers.notify_one();
        Ok(trigger)
    }

    /// # Errors
    /// [`Error::TriggerNotFound`], [`Error::Conflict`].
    pub async fn delete_trigger(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        name: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.shared.catalog.delete_trigger(account, service, function, name, revision).await
    }

    /// # Errors
    /// [`Error::ServiceNotFound`], [`Error::FunctionNotFound`].
    pub fn triggers(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        listing: &Listing,
    ) -> Result<(Vec<Versioned<Trigger>>, Option<String>), Error> {
        self.shared.catalog.triggers(account, service, function, listing)
    }

    /// # Errors
    /// [`Error::DomainExists`], whichever account has it; [`Error::LimitExceeded`].
    pub async fn create_domain(&self, domain: CustomDomain) -> Result<Versioned<CustomDomain>, Error> {
        self.check_open()?;
        self.shared.catalog.create_domain(domain).await
    }

    /// # Errors
    /// [`Error::DomainNotFound`], also for a domain of another account.
    pub fn domain(&self, account: &AccountId, name: &str) -> Result<Versioned<CustomDomain>, Error> {
        self.shared.catalog.domain(account, name)
    }

    /// Replaces a domain. `revision` as in [`Engine::replace_service`].
    ///
    /// # Errors
    /// [`Error::DomainNotFound`], [`Error::Conflict`].
    pub async fn replace_domain(
        &self,
        domain: CustomDomain,
        revision: Option<u64>,
    ) -> Result<Versioned<CustomDomain>, Error> {
        self.check_open()?;
        self.shared.catalog.replace_domain(domain, revision, self.now()).await
    }

    /// # Errors
    /// [`Error::DomainNotFound`], [`Error::Conflict`].
    pub async fn delete_domain(
        &self,
        account: &AccountId,
        name: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        self.check_open()?;
        self.shared.catalog.delete_domain(account, name, revision).await
    }

    /// One page of the account's domains by name, and the name that the next page starts with.
    pub fn domains(
        &self,
        account: &AccountId,
        listing: &Listing,
    ) -> (Vec<Versioned<CustomDomain>>, Option<String>) {
        self.shared.catalog.domains(account, listing)
    }
}
