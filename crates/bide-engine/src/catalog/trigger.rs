//! Triggers: create, get, replace, delete, list.

use std::collections::BTreeMap;
use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::limits::TRIGGERS_PER_FUNCTION_MAX;
use bide_types::resource::{HttpTrigger, Trigger, TriggerConfig};
use bide_types::{AccountId, Qualifier, Timestamp, TriggerName};

use super::stored::{encode, trigger_key};
use super::{
    Catalog, Changing, FunctionEntry, Listing, Target, Versioned, expected, not_there, page, removal,
};
use crate::error::Error;
use crate::timers;

/// The triggers of a function by name.
pub(crate) type Triggers = BTreeMap<TriggerName, Versioned<Trigger>>;

impl Target {
    /// The HTTP trigger of the qualifier, if it has one.
    pub(crate) fn http_trigger(&self) -> Option<&HttpTrigger> {
        http_trigger(&self.entry.triggers, &self.qualifier).map(|(_, config)| config)
    }
}

impl Catalog {
    pub(crate) async fn create_trigger(
        &self,
        target: &Target,
        trigger: Trigger,
    ) -> Result<Versioned<Trigger>, Error> {
        let changing = self.begin().await;
        let entry = self.present(target)?;
        if entry.triggers.contains_key(&trigger.name) {
            return Err(Error::TriggerExists(format!("trigger '{}' already exists", trigger.name)));
        }
        if entry.triggers.len() >= TRIGGERS_PER_FUNCTION_MAX {
            return Err(Error::LimitExceeded(format!(
                "a function has at most {TRIGGERS_PER_FUNCTION_MAX} triggers"
            )));
        }
        self.check(&entry, &trigger)?;
        let now = trigger.created_at;
        self.write_trigger(changing, trigger, None, Expected::Absent, now).await
    }

    pub(crate) fn trigger(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        name: &str,
    ) -> Result<Versioned<Trigger>, Error> {
        let view = self.view();
        let triggers = &view.function(account, service, function, &Qualifier::latest())?.triggers;
        triggers
            .get(name)
            .cloned()
            .ok_or_else(|| Error::TriggerNotFound(format!("trigger '{name}' does not exist")))
    }

    /// Replaces a trigger; what identifies it stays.
    pub(crate) async fn replace_trigger(
        &self,
        target: &Target,
        mut trigger: Trigger,
        revision: Option<u64>,
        now: Timestamp,
    ) -> Result<Versioned<Trigger>, Error> {
        let changing = self.begin().await;
        let entry = self.present(target)?;
        let Some(current) = entry.triggers.get(&trigger.name) else { return Err(Error::Conflict) };
        trigger.id.clone_from(&current.value.id);
        trigger.created_at = current.value.created_at;
        trigger.modified_at = now;
        self.check(&entry, &trigger)?;
        self.write_trigger(changing, trigger, Some(&current.value), expected(revision), now).await
    }

    async fn write_trigger(
        &self,
        changing: Changing,
        trigger: Trigger,
        current: Option<&Trigger>,
        expected: Expected,
        now: Timestamp,
    ) -> Result<Versioned<Trigger>, Error> {
        let (progress_write, progress) = self.view().progress_of(&trigger, current, now).unzip();
        let mut writes = Vec::from_iter(progress_write);
        writes.push(ControlWrite {
            key: trigger_key(trigger.function, &trigger.name),
            expected,
            value: Some(encode(&trigger)),
        });
        self.commit(changing, writes, |view, revision| {
            let trigger = Versioned { value: Arc::new(trigger), revision };
            view.put_trigger(trigger.clone());
            if let Some(progress) = progress {
                let _ = view.arm(progress); // its trigger is there
            }
            trigger
        })
        .await
    }

    pub(crate) async fn delete_trigger(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        name: &str,
        revision: Option<u64>,
    ) -> Result<(), Error> {
        let changing = self.begin().await;
        let trigger = self.trigger(account, service, function, name)?;
        trigger.check_seen(revision)?;
        let mut writes = Vec::from_iter(self.view().progress_removal(&trigger.value));
        writes.push(removal(trigger_key(trigger.value.function, &trigger.value.name), trigger.revision));
        self.commit(changing, writes, move |view, _| {
            view.remove_trigger(trigger.value.function, &trigger.value.name);
        })
        .await
    }

    pub(crate) fn triggers(
        &self,
        account: &AccountId,
        service: &str,
        function: &str,
        listing: &Listing,
    ) -> Result<(Vec<Versioned<Trigger>>, Option<String>), Error> {
        let view = self.view();
        let triggers = &view.function(account, service, function, &Qualifier::latest())?.triggers;
        Ok(page(triggers.iter().map(|(name, trigger)| (name, trigger.clone())), listing))
    }

    fn check(&self, entry: &FunctionEntry, trigger: &Trigger) -> Result<(), Error> {
        // A version may have another function under this name, one that was deleted.
        if !entry.runs.contains_key(&trigger.qualifier) {
            return Err(not_there(&trigger.qualifier));
        }
        match &trigger.config {
            TriggerConfig::Http(_) => check_free(entry, trigger),
            TriggerConfig::Timer(config) => timers::check(trigger, config),
            TriggerConfig::EventBridge(_) | TriggerConfig::Oss(_) => {
                self.view().subscriptions.check(&entry.function.value.account, trigger)
            }
        }
    }

    /// The function of a target as it is now, unless it was deleted or made anew meanwhile. One that only versions still
    /// have is deleted: nobody could reach its triggers.
    fn present(&self, target: &Target) -> Result<Arc<FunctionEntry>, Error> {
        let entry = self.by_id(target.function().id);
        entry.filter(|entry| entry.runs.contains_key(&Qualifier::latest())).ok_or(Error::Conflict)
    }
}

/// One HTTP trigger per qualifier (FC "HTTP trigger overview").
fn check_free(entry: &FunctionEntry, trigger: &Trigger) -> Result<(), Error> {
    match http_trigger(&entry.triggers, &trigger.qualifier) {
        Some((other, _)) if other.name != trigger.name => Err(Error::TriggerExists(format!(
            "qualifier '{}' has the HTTP trigger '{}' already, and can have one only",
            trigger.qualifier, other.name
        ))),
        _ => Ok(()),
    }
}

fn http_trigger<'a>(triggers: &'a Triggers, qualifier: &Qualifier) -> Option<(&'a Trigger, &'a HttpTrigger)> {
    triggers.values().find_map(|trigger| match &trigger.value.config {
        TriggerConfig::Http(config) if trigger.value.qualifier == *qualifier => {
            Some((trigger.value.as_ref(), config))
        }
        TriggerConfig::Http(_)
        | TriggerConfig::Timer(_)
        | TriggerConfig::EventBridge(_)
        | TriggerConfig::Oss(_) => None,
    })
}
