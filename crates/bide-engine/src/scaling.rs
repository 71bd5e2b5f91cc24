//! How many instances functions have, as callers set and read it, and the instances there are.
//!
//! Owns the two configurations of FC over the one that is stored, and tells the executor of every change.

use std::sync::Arc;

use bide_runtime::{InstanceInfo, ProvisionStatus};
use bide_types::resource::Function;
use bide_types::{AccountId, Qualifier};

use crate::catalog::{FunctionEntry, Target};
use crate::error::Error;
use crate::start::Engine;

/// Instances that are kept ready, and how far they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provision {
    pub target: u32,
    pub status: ProvisionStatus,
}

impl Engine {
    /// Keeps `count` instances ready from now on; 0 ends that.
    ///
    /// # Errors
    /// When the function is gone, or it cannot be stored.
    pub async fn put_provision_config(&self, target: &Target, count: u32) -> Result<Provision, Error> {
        self.check_open()?;
        self.shared.catalog.put_scaling(target, |scaling| scaling.provisioned = count).await?;
        self.shared.assign(target.function().id);
        Ok(self.provision(target, count))
    }

    /// # Errors
    /// [`Error::ProvisionConfigNotFound`] while none are kept ready.
    pub fn provision_config(&self, target: &Target) -> Result<Provision, Error> {
        let count = target.scaling().map(|scaling| scaling.value.provisioned).filter(|count| *count > 0);
        let function = target.function();
        let count = count.ok_or_else(|| Error::ProvisionConfigNotFound {
            service: function.service.clone(),
            function: function.name.clone(),
        })?;
        Ok(self.provision(target, count))
    }

    /// Every function and qualifier of the account that has instances kept ready.
    pub fn provision_configs(&self, account: &AccountId) -> Vec<(Target, Provision)> {
        let targets = self.scaled_targets(account);
        targets
            .filter_map(|target| self.provision_config(&target).ok().map(|provision| (target, provision)))
            .collect()
    }

    fn provision(&self, target: &Target, count: u32) -> Provision {
        let (mut status, function) = (ProvisionStatus::default(), target.function().id);
        for spec in target.specs() {
            let of_version = self.shared.executor.provision_status(function, &spec.qualifier);
            status.current += of_version.current;
            status.error = status.error.or(of_version.error);
        }
        // Instances of a version may be kept ready for another qualifier, too.
        status.current = status.current.min(usize::try_from(count).unwrap_or(usize::MAX));
        Provision { target: count, status }
    }

    /// Allows at most `max` instances beside those kept ready, from now on.
    ///
    /// # Errors
    /// When the function is gone, or it cannot be stored.
    pub async fn put_on_demand_config(&self, target: &Target, max: u32) -> Result<u32, Error> {
        self.set_on_demand_max(target, Some(max)).await?;
        Ok(max)
    }

    /// # Errors
    /// [`Error::OnDemandConfigNotFound`].
    pub fn on_demand_config(&self, target: &Target) -> Result<u32, Error> {
        let max = target.scaling().and_then(|scaling| scaling.value.on_demand_max);
        let function = target.function();
        max.ok_or_else(|| Error::OnDemandConfigNotFound {
            service: function.service.clone(),
            function: function.name.clone(),
        })
    }

    /// # Errors
    /// [`Error::OnDemandConfigNotFound`].
    pub async fn delete_on_demand_config(&self, target: &Target) -> Result<(), Error> {
        self.on_demand_config(target)?;
        self.set_on_demand_max(target, None).await
    }

    /// Every function and qualifier of the account that has such a cap.
    pub fn on_demand_configs(&self, account: &AccountId) -> Vec<(Target, u32)> {
        let targets = self.scaled_targets(account);
        targets.filter_map(|target| self.on_demand_config(&target).ok().map(|max| (target, max))).collect()
    }

    async fn set_on_demand_max(&self, target: &Target, max: Option<u32>) -> Result<(), Error> {
        self.check_open()?;
        self.shared.catalog.put_scaling(target, |scaling| scaling.on_demand_max = max).await?;
        self.shared.assign(target.function().id);
        Ok(())
    }

    fn scaled_targets(&self, account: &AccountId) -> impl Iterator<Item = Target> {
        let targets = |entry: Arc<FunctionEntry>| {
            let qualifiers: Vec<_> = entry.scaling.keys().cloned().collect();
            qualifiers
                .into_iter()
                .filter_map(move |qualifier| Target::new(Arc::clone(&entry), qualifier, || 0.0))
        };
        self.shared.catalog.functions_of(account).into_iter().flat_map(targets)
    }

    /// The instances of the versions that a target runs, by id.
    pub fn instances(&self, target: &Target) -> Vec<InstanceInfo> {
        let function = target.function().id;
        let runs = |version: &Qualifier| target.specs().any(|spec| spec.qualifier == *version);
        let mut instances = self.shared.executor.instances();
        instances.retain(|instance| instance.function == function && runs(&instance.qualifier));
        instances.sort_unstable_by(|one, other| one.id.as_str().cmp(other.id.as_str()));
        instances
    }

    /// The instances of all functions of the account, by function and id.
    pub fn instances_of(&self, account: &AccountId) -> Vec<(Arc<Function>, InstanceInfo)> {
        let mut found = Vec::new();
        for instance in self.shared.executor.instances() {
            // One of a function that was just deleted ends soon.
            let entry = self.shared.catalog.by_id(instance.function);
            let Some(function) = entry.map(|entry| Arc::clone(&entry.function.value)) else { continue };
            if function.account == *account {
                found.push((function, instance));
            }
        }
        found.sort_unstable_by(|(one, first), (other, second)| {
            let place = |function: &Function| (function.service.clone(), function.name.clone());
            (place(one), first.id.as_str()).cmp(&(place(other), second.id.as_str()))
        });
        found
    }
}
