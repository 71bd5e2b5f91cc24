//! The control objects in memory, arranged for look-up.
//!
//! Owns consistency between the by-name and by-id maps. Rebuilt from the store at every start.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bide_store::{ControlKey, ControlObject};
use bide_types::resource::{
    Alias, AsyncInvokeConfig, CustomDomain, Function, Layer, ScalingConfig, Service, ServiceVersion, Trigger,
    TriggerConfig,
};
use bide_types::{
    AccountId, DomainName, FunctionId, FunctionName, LayerName, Qualifier, ServiceName, TriggerName,
};

use super::entry::{Belongings, FunctionEntry, VersionEntry};
use super::retired::{Retired, RetiredEntry};
use super::stored::{decode, function_sequence_key, timer_key};
use super::subdomain::subdomain;
use super::subscription::Subscriptions;
use super::timer::{TimerProgress, Timers};
use super::trigger::Triggers;
use super::{LoadError, Versioned};
use crate::error::Error;

#[derive(Default)]
pub(super) struct View {
    /// Of every function, as its code sees it.
    region: String,
    pub(super) accounts: HashMap<AccountId, BTreeMap<ServiceName, ServiceEntry>>,
    pub(super) by_id: HashMap<FunctionId, Arc<FunctionEntry>>,
    pub(super) layers: HashMap<AccountId, BTreeMap<LayerName, Versioned<Layer>>>,
    pub(super) retired: HashMap<FunctionId, RetiredEntry>,
    pub(super) domains: BTreeMap<DomainName, Versioned<CustomDomain>>,
    /// Of the qualifiers that have an HTTP trigger.
    pub(super) subdomains: HashMap<String, (FunctionId, Qualifier)>,
    pub(super) timers: Timers,
    pub(super) subscriptions: Subscriptions,
    /// Last function id given, and the revision of the object that holds it.
    pub(super) sequence: Option<(u64, u64)>,
    /// What is read before what it belongs to; empty after [`View::link`].
    loading: Loading,
}

#[derive(Default)]
struct Loading {
    functions: Vec<Versioned<Function>>,
    versions: Vec<(ServiceVersion, u64)>,
    aliases: Vec<Versioned<Alias>>,
    configs: Vec<Versioned<AsyncInvokeConfig>>,
    triggers: Vec<Versioned<Trigger>>,
    scaling: Vec<Versioned<ScalingConfig>>,
    timers: Vec<Versioned<TimerProgress>>,
}

/// A service, and what its qualifiers run.
pub(super) struct ServiceEntry {
    pub(super) service: Versioned<Service>,
    /// Of `LATEST`.
    pub(super) functions: BTreeMap<FunctionName, Versioned<Function>>,
    pub(super) versions: BTreeMap<u32, VersionEntry>,
    pub(super) aliases: BTreeMap<Qualifier, Versioned<Alias>>,
}

impl View {
    pub(super) fn new(region: String) -> Self {
        Self { region, ..Self::default() }
    }

    /// Takes in one stored object; [`View::link`] must follow the last.
    pub(super) fn load(&mut self, key: &ControlKey, object: &ControlObject) -> Result<(), LoadError> {
        let damaged = |source| LoadError::Object { key: key.as_str().to_owned(), source };
        let revision = object.revision;
        match key.as_str().split('/').next() {
            Some("service") => {
                let service: Service = decode(&object.value).map_err(damaged)?;
                self.put_service(Versioned { value: Arc::new(service), revision });
            }
            Some("version") => {
                let version = decode(&object.value).map_err(damaged)?;
                self.loading.versions.push((version, revision));
            }
            Some("alias") => {
                let alias = decode(&object.value).map_err(damaged)?;
                self.loading.aliases.push(Versioned { value: Arc::new(alias), revision });
            }
            Some("function") => {
                let function = decode(&object.value).map_err(damaged)?;
                self.loading.functions.push(Versioned { value: Arc::new(function), revision });
            }
            Some("async") => {
                let config = decode(&object.value).map_err(damaged)?;
                self.loading.configs.push(Versioned { value: Arc::new(config), revision });
            }
            Some("trigger") => {
                let trigger = decode(&object.value).map_err(damaged)?;
                self.loading.triggers.push(Versioned { value: Arc::new(trigger), revision });
            }
            Some("timer") => {
                let progress = decode(&object.value).map_err(damaged)?;
                self.loading.timers.push(Versioned { value: Arc::new(progress), revision });
            }
            Some("domain") => {
                let domain: CustomDomain = decode(&object.value).map_err(damaged)?;
                self.domains.insert(domain.name.clone(), Versioned { value: Arc::new(domain), revision });
            }
            Some("layer") => {
                let layer: Layer = decode(&object.value).map_err(damaged)?;
                self.put_layer(Versioned { value: Arc::new(layer), revision });
            }
            Some("retired") => {
                let retired: Retired = decode(&object.value).map_err(damaged)?;
                retired.show(self, revision);
            }
            Some("scaling") => {
                let scaling = decode(&object.value).map_err(damaged)?;
                self.loading.scaling.push(Versioned { value: Arc::new(scaling), revision });
            }
            Some("sequence") if *key == function_sequence_key() => {
                self.sequence = Some((decode(&object.value).map_err(damaged)?, revision));
            }
            _ => return Err(LoadError::Kind(key.as_str().to_owned())),
        }
        Ok(())
    }

    pub(super) fn link(&mut self) -> Result<(), LoadError> {
        let Loading { functions, versions, aliases, configs, triggers, scaling, timers } =
            std::mem::take(&mut self.loading);
        self.link_services(functions, versions, aliases);
        configs.into_iter().for_each(|config| self.put_config(config));
        triggers.into_iter().for_each(|trigger| self.put_trigger(trigger));
        scaling.into_iter().for_each(|scaling| self.put_scaling(scaling));
        for progress in timers {
            let key = timer_key(progress.value.function, &progress.value.trigger);
            self.arm(progress).map_err(|_| LoadError::Incomplete(key.as_str().to_owned()))?;
        }
        match self.unarmed() {
            Some(key) => Err(LoadError::Incomplete(key.as_str().to_owned())),
            None => Ok(()),
        }
    }

    /// Fills the services first, and then makes the entry of each function once: one holds a form for every version.
    fn link_services(
        &mut self,
        functions: Vec<Versioned<Function>>,
        versions: Vec<(ServiceVersion, u64)>,
        aliases: Vec<Versioned<Alias>>,
    ) {
        for function in functions {
            if let Some(service) = self.service_mut(&function.value.account, &function.value.service) {
                service.put_function(function);
            }
        }
        for (version, revision) in versions {
            if let Some(service) = self.service_mut(&version.service.account, &version.service.name) {
                service.put_version(version, revision);
            }
        }
        for alias in aliases {
            if let Some(service) = self.service_mut(&alias.value.account, &alias.value.service) {
                service.put_alias(alias);
            }
        }
        let services = self.accounts.values().flat_map(BTreeMap::values);
        let known: Vec<_> = services.flat_map(|service| service.known_functions().into_values()).collect();
        known.iter().for_each(|function| self.renew(function));
    }

    pub(super) fn service(&self, account: &AccountId, name: &str) -> Result<&ServiceEntry, Error> {
        self.accounts
            .get(account)
            .and_then(|services| services.get(name))
            .ok_or_else(|| Error::ServiceNotFound(name.to_owned()))
    }

    /// The function that `qualifier` of a service runs under a name.
    pub(super) fn function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        qualifier: &Qualifier,
    ) -> Result<&Arc<FunctionEntry>, Error> {
        let entry = self.service(account, service)?;
        let id = match entry.version_of(qualifier)? {
            None => entry.functions.get(function).map(|function| function.value.id),
            Some(version) => version.functions.get(function).map(|function| function.id),
        };
        id.and_then(|id| self.by_id.get(&id)).ok_or_else(|| Error::FunctionNotFound {
            service: service.to_owned(),
            function: function.to_owned(),
        })
    }

    pub(super) fn entries_of(&self, ids: impl IntoIterator<Item = FunctionId>) -> Vec<Arc<FunctionEntry>> {
        ids.into_iter().filter_map(|id| self.by_id.get(&id).cloned()).collect()
    }

    /// What instances know of their service changes with it.
    pub(super) fn put_service(&mut self, service: Versioned<Service>) {
        let services = self.accounts.entry(service.value.account.clone()).or_default();
        let value = Arc::clone(&service.value);
        match services.get_mut(&value.name) {
            Some(entry) => entry.service = service,
            None => {
                services.insert(value.name.clone(), ServiceEntry::new(service));
            }
        }
        self.renew_all(&value.account, &value.name);
    }

    pub(super) fn remove_service(&mut self, account: &AccountId, name: &ServiceName) {
        if let Some(services) = self.accounts.get_mut(account) {
            services.remove(name);
        }
    }

    pub(super) fn put_version(&mut self, version: ServiceVersion, revision: u64) {
        let (account, name) = (version.service.account.clone(), version.service.name.clone());
        self.change_service(&account, &name, |service| service.put_version(version, revision));
    }

    pub(super) fn remove_version(&mut self, account: &AccountId, name: &ServiceName, number: u32) {
        self.change_service(account, name, |service| {
            service.versions.remove(&number);
        });
    }

    pub(super) fn put_alias(&mut self, alias: Versioned<Alias>) {
        let value = Arc::clone(&alias.value);
        self.change_service(&value.account, &value.service, |service| service.put_alias(alias));
    }

    pub(super) fn remove_alias(&mut self, alias: &Alias) {
        self.change_service(&alias.account, &alias.service, |service| {
            service.aliases.remove(&alias.name);
        });
    }

    pub(super) fn put_layer(&mut self, layer: Versioned<Layer>) {
        let layers = self.layers.entry(layer.value.account.clone()).or_default();
        layers.insert(layer.value.name.clone(), layer);
    }

    pub(super) fn put_function(&mut self, function: Versioned<Function>) {
        let value = Arc::clone(&function.value);
        if let Some(service) = self.service_mut(&value.account, &value.service) {
            service.put_function(function);
            self.renew(&value);
        }
    }

    pub(super) fn put_config(&mut self, config: Versioned<AsyncInvokeConfig>) {
        self.change(config.value.function, |belongings| {
            belongings.configs.insert(config.value.qualifier.clone(), config);
        });
    }

    pub(super) fn remove_config(&mut self, function: FunctionId, qualifier: &Qualifier) {
        self.change(function, |belongings| {
            belongings.configs.remove(qualifier);
        });
    }

    pub(super) fn put_trigger(&mut self, trigger: Versioned<Trigger>) {
        if let Some(entry) = self.by_id.get(&trigger.value.function) {
            self.subscriptions.put(&entry.function.value.account, &trigger.value);
        }
        self.change(trigger.value.function, |belongings| {
            belongings.triggers.insert(trigger.value.name.clone(), trigger);
        });
    }

    pub(super) fn remove_trigger(&mut self, function: FunctionId, name: &TriggerName) {
        self.timers.remove(function, name);
        self.subscriptions.remove(function, name);
        self.change(function, |belongings| {
            belongings.triggers.remove(name);
        });
    }

    pub(super) fn put_scaling(&mut self, scaling: Versioned<ScalingConfig>) {
        self.change(scaling.value.function, |belongings| {
            belongings.scaling.insert(scaling.value.qualifier.clone(), scaling);
        });
    }

    pub(super) fn remove_scaling(&mut self, function: FunctionId, qualifier: &Qualifier) {
        self.change(function, |belongings| {
            belongings.scaling.remove(qualifier);
        });
    }

    pub(super) fn remove_function(&mut self, function: &Function) {
        if let Some(service) = self.service_mut(&function.account, &function.service) {
            service.functions.remove(&function.name);
        }
        self.renew(function);
    }

    fn service_mut(&mut self, account: &AccountId, name: &ServiceName) -> Option<&mut ServiceEntry> {
        self.accounts.get_mut(account)?.get_mut(name)
    }

    fn hide_subdomains(&mut self, function: FunctionId) {
        let Some(entry) = self.by_id.get(&function) else { return };
        for qualifier in http_qualifiers(&entry.triggers) {
            self.subdomains.remove(&subdomain(&entry.function.value, qualifier));
        }
    }

    fn change(&mut self, function: FunctionId, change: impl FnOnce(&mut Belongings)) {
        // What belongs to a function is removed in the same commit as the function, so none is ever left without one.
        let Some(entry) = self.by_id.get(&function).cloned() else { return };
        let mut belongings = Belongings::of(&entry);
        change(&mut belongings);
        self.put_entry(&entry.function.value, belongings);
    }

    /// Changes what the qualifiers of a service run.
    fn change_service(
        &mut self,
        account: &AccountId,
        name: &ServiceName,
        change: impl FnOnce(&mut ServiceEntry),
    ) {
        let Some(service) = self.service_mut(account, name) else { return };
        let mut known = service.known_functions();
        change(service);
        known.extend(service.known_functions());
        known.values().for_each(|function| self.renew(function));
    }

    fn renew_all(&mut self, account: &AccountId, name: &ServiceName) {
        let Some(service) = self.service_mut(account, name) else { return };
        service.known_functions().values().for_each(|function| self.renew(function));
    }

    /// Makes the entry of a function anew from what its service is now.
    fn renew(&mut self, known: &Function) {
        let belongings = self.by_id.get(&known.id).map(|entry| Belongings::of(entry)).unwrap_or_default();
        self.put_entry(known, belongings);
    }

    fn put_entry(&mut self, known: &Function, belongings: Belongings) {
        self.hide_subdomains(known.id);
        let service = self.accounts.get(&known.account).and_then(|services| services.get(&known.service));
        let built =
            service.and_then(|service| FunctionEntry::build(known, service, &self.region, belongings));
        let Some(entry) = built else {
            self.by_id.remove(&known.id);
            return;
        };
        self.subdomains.extend(
            http_qualifiers(&entry.triggers).map(|qualifier| {
                (subdomain(&entry.function.value, qualifier), (entry.id(), qualifier.clone()))
            }),
        );
        self.by_id.insert(known.id, Arc::new(entry));
    }
}

impl ServiceEntry {
    fn new(service: Versioned<Service>) -> Self {
        let (functions, versions, aliases) = Default::default();
        Self { service, functions, versions, aliases }
    }

    /// Whether nothing is left that would go with the service.
    pub(super) fn is_empty(&self) -> bool {
        self.functions.is_empty() && self.versions.is_empty() && self.aliases.is_empty()
    }

    /// The version that a qualifier runs first of all; `None` for `LATEST`.
    pub(super) fn version_of(&self, qualifier: &Qualifier) -> Result<Option<&VersionEntry>, Error> {
        if qualifier.is_latest() {
            return Ok(None);
        }
        if qualifier.is_version() {
            return self.published(qualifier).map(|(_, version)| Some(version));
        }
        let alias = self.aliases.get(qualifier).ok_or_else(|| Error::AliasNotFound(qualifier.clone()))?;
        Ok(self.versions.get(&alias.value.version))
    }

    /// A version by its number.
    pub(super) fn published(&self, version: &Qualifier) -> Result<(u32, &VersionEntry), Error> {
        let number = version.version_number();
        let found = number.and_then(|number| Some((number, self.versions.get(&number)?)));
        found.ok_or_else(|| Error::VersionNotFound(version.clone()))
    }

    /// Of `LATEST` and of all versions.
    pub(super) fn function_ids(&self) -> Vec<FunctionId> {
        self.known_functions().into_keys().collect()
    }

    /// One form of each function of `LATEST` and of all versions.
    fn known_functions(&self) -> BTreeMap<FunctionId, Arc<Function>> {
        let latest = self.functions.values().map(|function| &function.value);
        let published = self.versions.values().flat_map(|version| version.functions.values());
        latest.chain(published).map(|function| (function.id, Arc::clone(function))).collect()
    }

    fn put_function(&mut self, function: Versioned<Function>) {
        self.functions.insert(function.value.name.clone(), function);
    }

    fn put_version(&mut self, version: ServiceVersion, revision: u64) {
        self.versions.insert(version.number, VersionEntry::new(version, revision));
    }

    fn put_alias(&mut self, alias: Versioned<Alias>) {
        self.aliases.insert(alias.value.name.clone(), alias);
    }
}

fn http_qualifiers(triggers: &Triggers) -> impl Iterator<Item = &Qualifier> {
    triggers.values().filter_map(|trigger| match trigger.value.config {
        TriggerConfig::Http(_) => Some(&trigger.value.qualifier),
        TriggerConfig::Timer(_) | TriggerConfig::EventBridge(_) | TriggerConfig::Oss(_) => None,
    })
}
