//! A function with everything that an invocation of it needs, for each of its qualifiers.
//!
//! Owns what a qualifier runs: `LATEST` the function as it is, a version the function as it was published, an alias the
//! version that it names or, by weight, the other one. An entry is never changed, only made anew; it is there while any
//! qualifier runs its function.

use std::collections::BTreeMap;
use std::sync::Arc;

use bide_core::{Policy, PolicyTable};
use bide_runtime::{FunctionSpec, Scale};
use bide_types::limits::{EVENT_AGE_DEFAULT, RETRY_ATTEMPTS_DEFAULT};
use bide_types::resource::{Alias, AsyncInvokeConfig, Function, ScalingConfig, Service, ServiceVersion};
use bide_types::{FunctionId, FunctionName, Qualifier, Timestamp};

use super::Versioned;
use super::trigger::Triggers;
use super::view::ServiceEntry;

/// See the module.
pub(crate) struct FunctionEntry {
    /// Of `LATEST`; where it was deleted there, of the newest version that still has it.
    pub(crate) function: Versioned<Function>,
    /// What each qualifier runs.
    pub(crate) runs: BTreeMap<Qualifier, Run>,
    /// Those of qualifiers that are gone say who hears of what was sent to them.
    pub(super) configs: BTreeMap<Qualifier, Versioned<AsyncInvokeConfig>>,
    pub(crate) triggers: Triggers,
    pub(crate) scaling: BTreeMap<Qualifier, Versioned<ScalingConfig>>,
    pub(crate) policies: Arc<PolicyTable>,
}

/// What a qualifier runs.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) main: Arc<FunctionSpec>,
    /// Gets this share of the calls.
    pub(crate) additional: Option<(Arc<FunctionSpec>, f64)>,
}

/// What belongs to a function and is stored beside it.
#[derive(Clone, Default)]
pub(super) struct Belongings {
    pub(super) configs: BTreeMap<Qualifier, Versioned<AsyncInvokeConfig>>,
    pub(super) triggers: Triggers,
    pub(super) scaling: BTreeMap<Qualifier, Versioned<ScalingConfig>>,
}

/// A published version in memory.
pub(super) struct VersionEntry {
    pub(super) service: Arc<Service>,
    pub(super) description: String,
    pub(super) functions: BTreeMap<FunctionName, Arc<Function>>,
    pub(super) created_at: Timestamp,
    pub(super) revision: u64,
}

impl Run {
    /// What the call that drew `share`, from 0 to below 1, runs.
    pub(crate) fn drawn(&self, share: impl FnOnce() -> f64) -> &Arc<FunctionSpec> {
        match &self.additional {
            Some((spec, weight)) if share() < *weight => spec,
            _ => &self.main,
        }
    }

    /// Everything that it may run.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &Arc<FunctionSpec>> {
        std::iter::once(&self.main).chain(self.additional.iter().map(|(spec, _)| spec))
    }
}

impl VersionEntry {
    /// What its one write leaves.
    pub(super) const FIRST_REVISION: u64 = 1;

    pub(super) fn new(version: ServiceVersion, revision: u64) -> Self {
        let ServiceVersion { service, description, functions, created_at, .. } = version;
        let functions = functions.into_iter().map(|function| (function.name.clone(), Arc::new(function)));
        Self { service: Arc::new(service), description, functions: functions.collect(), created_at, revision }
    }

    fn function(&self, known: &Function) -> Option<&Arc<Function>> {
        self.functions.get(&known.name).filter(|function| function.id == known.id)
    }
}

impl Belongings {
    pub(super) fn of(entry: &FunctionEntry) -> Self {
        Self {
            configs: entry.configs.clone(),
            triggers: entry.triggers.clone(),
            scaling: entry.scaling.clone(),
        }
    }
}

impl FunctionEntry {
    pub(crate) fn id(&self) -> FunctionId {
        self.function.value.id
    }

    /// The function as each of its versions runs it, `LATEST` included.
    pub(crate) fn specs(&self) -> impl Iterator<Item = &Arc<FunctionSpec>> {
        let of_versions = self.runs.iter().filter(|(qualifier, run)| **qualifier == run.main.qualifier);
        of_versions.map(|(_, run)| &run.main)
    }

    /// Configurations of qualifiers that exist.
    pub(crate) fn configs(&self) -> impl Iterator<Item = &Versioned<AsyncInvokeConfig>> {
        self.configs.values().filter(|config| self.runs.contains_key(&config.value.qualifier))
    }

    /// The entry of the function that `known` is a form of; `None` when no qualifier of its service runs it.
    pub(super) fn build(
        known: &Function,
        service: &ServiceEntry,
        region: &str,
        belongings: Belongings,
    ) -> Option<Self> {
        let runs = runs(known, service, region, &belongings.scaling);
        let latest = service.functions.get(&known.name).filter(|function| function.value.id == known.id);
        let function = latest.cloned().or_else(|| {
            let mut versions = service.versions.values().rev();
            let value = versions.find_map(|version| version.function(known))?;
            Some(Versioned { value: Arc::clone(value), revision: 0 })
        })?;
        let Belongings { configs, triggers, scaling } = belongings;
        let policies = Arc::new(policies(&runs, &configs));
        Some(Self { function, runs, configs, triggers, scaling, policies })
    }
}

fn runs(
    known: &Function,
    service: &ServiceEntry,
    region: &str,
    scaling: &BTreeMap<Qualifier, Versioned<ScalingConfig>>,
) -> BTreeMap<Qualifier, Run> {
    let mut runs = BTreeMap::new();
    let spec = |service_form: &Service, function: &Arc<Function>, version: Qualifier| {
        let latest = version.is_latest();
        Arc::new(FunctionSpec {
            function: Arc::clone(function),
            version_id: if latest { String::new() } else { version.to_string() },
            region: region.to_owned(),
            internet_access: service_form.internet_access,
            role_arn: service_form.role.clone(),
            scale: scale(&version, scaling, service),
            qualifier: version,
        })
    };
    let mut add = |spec: Arc<FunctionSpec>| {
        runs.insert(spec.qualifier.clone(), Run { main: spec, additional: None });
    };
    if let Some(function) = service.functions.get(&known.name).filter(|one| one.value.id == known.id) {
        add(spec(&service.service.value, &function.value, Qualifier::latest()));
    }
    for (number, version) in &service.versions {
        if let Some(function) = version.function(known) {
            add(spec(&version.service, function, Qualifier::version(*number)));
        }
    }
    for alias in service.aliases.values() {
        let of = |number: u32| runs.get(&Qualifier::version(number)).map(|run| Arc::clone(&run.main));
        let Some(main) = of(alias.value.version) else { continue };
        let additional = alias.value.additional;
        let additional = additional.and_then(|other| Some((of(other.version)?, other.weight)));
        runs.insert(alias.value.name.clone(), Run { main, additional });
    }
    runs
}

/// How many instances a version has: what its own number asks for, and its share of what aliases ask for. Of several
/// caps the smallest holds, since instances do not know by which qualifier they are called.
fn scale(
    version: &Qualifier,
    scaling: &BTreeMap<Qualifier, Versioned<ScalingConfig>>,
    service: &ServiceEntry,
) -> Scale {
    let mut scale = Scale::default();
    for config in scaling.values().map(|config| &config.value) {
        let alias = service.aliases.get(&config.qualifier).map(|alias| alias.value.as_ref());
        let share = match alias {
            None if config.qualifier == *version => Some(config.provisioned),
            None => None,
            Some(alias) => share(alias, version, config.provisioned),
        };
        let Some(provisioned) = share else { continue };
        scale.provisioned = scale.provisioned.saturating_add(provisioned);
        let caps = [scale.on_demand_max, config.on_demand_max];
        scale.on_demand_max = caps.into_iter().flatten().min();
    }
    scale
}

/// How many of `count` instances of an alias are of a version; `None` when it does not name it.
fn share(alias: &Alias, version: &Qualifier, count: u32) -> Option<u32> {
    let additional = alias.additional.map_or(0, |additional| {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a weight is from 0 to 1
        let share = (f64::from(count) * additional.weight).round() as u32;
        share
    });
    if *version == Qualifier::version(alias.version) {
        return Some(count - additional);
    }
    let other = alias.additional.filter(|other| *version == Qualifier::version(other.version));
    other.map(|_| additional)
}

/// In force are those of the qualifiers that exist, with defaults where nothing is configured.
fn policies(
    runs: &BTreeMap<Qualifier, Run>,
    configs: &BTreeMap<Qualifier, Versioned<AsyncInvokeConfig>>,
) -> PolicyTable {
    let configured = |qualifier: &Qualifier| configs.get(qualifier).map(|config| policy(&config.value));
    let in_force =
        runs.keys().map(|qualifier| (qualifier.clone(), configured(qualifier).unwrap_or_default()));
    let gone = configs.keys().filter(|qualifier| !runs.contains_key(*qualifier));
    let former = gone.filter_map(|qualifier| Some((qualifier.clone(), configured(qualifier)?)));
    PolicyTable::new(in_force, former)
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
