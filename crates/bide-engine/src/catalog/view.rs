//! The control objects in memory, arranged for look-up.
//!
//! Owns consistency between the by-name and by-id maps. Rebuilt from the store at every start.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bide_core::{Policy, PolicyTable};
use bide_runtime::{FunctionSpec, Scale};
use bide_store::{ControlKey, ControlObject};
use bide_types::limits::{EVENT_AGE_DEFAULT, RETRY_ATTEMPTS_DEFAULT};
use bide_types::resource::{
    AsyncInvokeConfig, CustomDomain, Function, Layer, ScalingConfig, Service, Trigger, TriggerConfig,
};
use bide_types::{
    AccountId, DomainName, FunctionId, FunctionName, LayerName, Qualifier, ServiceName, TriggerName,
};

use super::retired::{Retired, RetiredEntry};
use super::stored::{decode, function_sequence_key, timer_key};
use super::subdomain::subdomain;
use super::timer::{TimerProgress, Timers};
use super::trigger::Triggers;
use super::{FunctionEntry, LoadError, Versioned};
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
    /// Last function id given, and the revision of the object that holds it.
    pub(super) sequence: Option<(u64, u64)>,
    /// What is read before what it belongs to; empty after [`View::link`].
    loading: Loading,
}

#[derive(Default)]
struct Loading {
    functions: Vec<Versioned<Function>>,
    configs: Vec<Versioned<AsyncInvokeConfig>>,
    triggers: Vec<Versioned<Trigger>>,
    scaling: Vec<Versioned<ScalingConfig>>,
    timers: Vec<Versioned<TimerProgress>>,
}

/// What belongs to a function and is stored beside it.
#[derive(Clone, Default)]
struct Belongings {
    configs: BTreeMap<Qualifier, Versioned<AsyncInvokeConfig>>,
    triggers: Triggers,
    scaling: BTreeMap<Qualifier, Versioned<ScalingConfig>>,
}

pub(super) struct ServiceEntry {
    pub(super) service: Versioned<Service>,
    pub(super) functions: BTreeMap<FunctionName, Arc<FunctionEntry>>,
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
        let Loading { functions, configs, triggers, scaling, timers } = std::mem::take(&mut self.loading);
        functions.into_iter().for_each(|function| self.put_function(function));
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

    pub(super) fn service(&self, account: &AccountId, name: &str) -> Result<&ServiceEntry, Error> {
        self.accounts
            .get(account)
            .and_then(|services| services.get(name))
            .ok_or_else(|| Error::ServiceNotFound(name.to_owned()))
    }

    pub(super) fn function(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
    ) -> Result<&Arc<FunctionEntry>, Error> {
        self.service(account, service)?.functions.get(function).ok_or_else(|| Error::FunctionNotFound {
            service: service.to_owned(),
            function: function.to_owned(),
        })
    }

    /// What instances know of their service changes with it.
    pub(super) fn put_service(&mut self, service: Versioned<Service>) {
        let services = self.accounts.entry(service.value.account.clone()).or_default();
        let name = service.value.name.clone();
        let functions = services.remove(&name).map(|entry| entry.functions).unwrap_or_default();
        services.insert(name, ServiceEntry { service, functions: BTreeMap::new() });
        for function in functions.into_values() {
            self.put_entry(function.function.clone(), Belongings::of(&function));
        }
    }

    pub(super) fn remove_service(&mut self, account: &AccountId, name: &ServiceName) {
        if let Some(services) = self.accounts.get_mut(account) {
            services.remove(name);
        }
    }

    pub(super) fn put_layer(&mut self, layer: Versioned<Layer>) {
        let layers = self.layers.entry(layer.value.account.clone()).or_default();
        layers.insert(layer.value.name.clone(), layer);
    }

    pub(super) fn put_function(&mut self, function: Versioned<Function>) {
        let belongings =
            self.by_id.get(&function.value.id).map(|entry| Belongings::of(entry)).unwrap_or_default();
        self.put_entry(function, belongings);
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
        self.change(trigger.value.function, |belongings| {
            belongings.triggers.insert(trigger.value.name.clone(), trigger);
        });
    }

    pub(super) fn remove_trigger(&mut self, function: FunctionId, name: &TriggerName) {
        self.timers.remove(function, name);
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
        self.hide_subdomains(function.id);
        self.by_id.remove(&function.id);
        if let Some(service) =
            self.accounts.get_mut(&function.account).and_then(|all| all.get_mut(&function.service))
        {
            service.functions.remove(&function.name);
        }
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
        self.put_entry(entry.function.clone(), belongings);
    }

    fn put_entry(&mut self, function: Versioned<Function>, belongings: Belongings) {
        let value = Arc::clone(&function.value);
        self.hide_subdomains(value.id);
        let Some(service) = self.accounts.get_mut(&value.account).and_then(|all| all.get_mut(&value.service))
        else {
            return; // a service is removed only when it has no functions
        };
        let qualifier = Qualifier::latest();
        let scale = belongings.scaling.get(&qualifier).map(|scaling| Scale {
            provisioned: scaling.value.provisioned,
            on_demand_max: scaling.value.on_demand_max,
        });
        let spec = Arc::new(FunctionSpec {
            function: Arc::clone(&value),
            qualifier,
            version_id: String::new(),
            region: self.region.clone(),
            internet_access: service.service.value.internet_access,
            role_arn: service.service.value.role.clone(),
            scale: scale.unwrap_or_default(),
        });
        let Belongings { configs, triggers, scaling } = belongings;
        self.subdomains.extend(
            http_qualifiers(&triggers)
                .map(|qualifier| (subdomain(&value, qualifier), (value.id, qualifier.clone()))),
        );
        let policies = Arc::new(policies(&configs));
        let entry = Arc::new(FunctionEntry { function, configs, triggers, scaling, policies, spec });
        service.functions.insert(value.name.clone(), Arc::clone(&entry));
        self.by_id.insert(value.id, entry);
    }
}

impl Belongings {
    fn of(entry: &FunctionEntry) -> Self {
        Self {
            configs: entry.configs.clone(),
            triggers: entry.triggers.clone(),
            scaling: entry.scaling.clone(),
        }
    }
}

fn http_qualifiers(triggers: &Triggers) -> impl Iterator<Item = &Qualifier> {
    triggers.values().filter_map(|trigger| match trigger.value.config {
        TriggerConfig::Http(_) => Some(&trigger.value.qualifier),
        TriggerConfig::Timer(_) => None,
    })
}

/// The policies in force: those of the configurations, and the default for `LATEST`, which always exists.
fn policies(configs: &BTreeMap<Qualifier, Versioned<AsyncInvokeConfig>>) -> PolicyTable {
    let configured = configs.iter().map(|(qualifier, config)| (qualifier.clone(), policy(&config.value)));
    PolicyTable::in_force([(Qualifier::latest(), Policy::default())].into_iter().chain(configured))
}

pub(super) fn policy(config: &AsyncInvokeConfig) -> Policy {
    let age_max = config.event_age_max_seconds.map_or(EVENT_AGE_DEFAULT, std::time::Duration::from_secs);
    Policy {
        retries_max: config.retry_attempts_max.unwrap_or(RETRY_ATTEMPTS_DEFAULT),
        age_max,
        on_success: config.on_success.clone(),
        on_failure: config.on_failure.clone(),
    }
}
