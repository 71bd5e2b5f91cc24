//! The control objects in memory, arranged for look-up.
//!
//! Owns consistency between the by-name and by-id maps. Rebuilt from the store at every start.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bide_core::{Policy, PolicyTable};
use bide_runtime::FunctionSpec;
use bide_store::{ControlKey, ControlObject};
use bide_types::limits::{EVENT_AGE_DEFAULT, RETRY_ATTEMPTS_DEFAULT};
use bide_types::resource::{AsyncInvokeConfig, Function, Layer, Service};
use bide_types::{AccountId, FunctionId, FunctionName, LayerName, Qualifier, ServiceName};

use super::retired::{Retired, RetiredEntry};
use super::stored::{decode, function_sequence_key};
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
    /// Last function id given, and the revision of the object that holds it.
    pub(super) sequence: Option<(u64, u64)>,
    /// Configurations read before their functions; empty after [`View::link`].
    loading: Vec<Versioned<AsyncInvokeConfig>>,
    loading_functions: Vec<Versioned<Function>>,
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
                self.loading_functions.push(Versioned { value: Arc::new(function), revision });
            }
            Some("async") => {
                let config = decode(&object.value).map_err(damaged)?;
                self.loading.push(Versioned { value: Arc::new(config), revision });
            }
            Some("layer") => {
                let layer: Layer = decode(&object.value).map_err(damaged)?;
                self.put_layer(Versioned { value: Arc::new(layer), revision });
            }
            Some("retired") => {
                let retired: Retired = decode(&object.value).map_err(damaged)?;
                retired.show(self, revision);
            }
            Some("sequence") if *key == function_sequence_key() => {
                self.sequence = Some((decode(&object.value).map_err(damaged)?, revision));
            }
            _ => return Err(LoadError::Kind(key.as_str().to_owned())),
        }
        Ok(())
    }

    pub(super) fn link(&mut self) {
        for function in std::mem::take(&mut self.loading_functions) {
            self.put_function(function);
        }
        for config in std::mem::take(&mut self.loading) {
            self.put_config(config);
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
            self.put_entry(function.function.clone(), function.configs.clone());
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
        let configs =
            self.by_id.get(&function.value.id).map(|entry| entry.configs.clone()).unwrap_or_default();
        self.put_entry(function, configs);
    }

    pub(super) fn put_config(&mut self, config: Versioned<AsyncInvokeConfig>) {
        // A configuration is removed in the same commit as its function, so none is ever left without one.
        let Some(entry) = self.by_id.get(&config.value.function).cloned() else { return };
        let mut configs = entry.configs.clone();
        configs.insert(config.value.qualifier.clone(), config);
        self.put_entry(entry.function.clone(), configs);
    }

    pub(super) fn remove_config(&mut self, function: FunctionId, qualifier: &Qualifier) {
        let Some(entry) = self.by_id.get(&function).cloned() else { return };
        let mut configs = entry.configs.clone();
        configs.remove(qualifier);
        self.put_entry(entry.function.clone(), configs);
    }

    pub(super) fn remove_function(&mut self, function: &Function) {
        self.by_id.remove(&function.id);
        if let Some(service) =
            self.accounts.get_mut(&function.account).and_then(|all| all.get_mut(&function.service))
        {
            service.functions.remove(&function.name);
        }
    }

    fn put_entry(
        &mut self,
        function: Versioned<Function>,
        configs: BTreeMap<Qualifier, Versioned<AsyncInvokeConfig>>,
    ) {
        let value = Arc::clone(&function.value);
        let Some(service) = self.accounts.get_mut(&value.account).and_then(|all| all.get_mut(&value.service))
        else {
            return; // a service is removed only when it has no functions
        };
        let spec = Arc::new(FunctionSpec {
            function: Arc::clone(&value),
            qualifier: Qualifier::latest(),
            version_id: String::new(),
            region: self.region.clone(),
            internet_access: service.service.value.internet_access,
            role_arn: service.service.value.role.clone(),
        });
        let policies = Arc::new(policies(&configs));
        let entry = Arc::new(FunctionEntry { function, configs, policies, spec });
        service.functions.insert(value.name.clone(), Arc::clone(&entry));
        self.by_id.insert(value.id, entry);
    }
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
