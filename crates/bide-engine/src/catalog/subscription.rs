//! Triggers that wait for events: which there are of an account, and what each of them wants.
//!
//! Owns their patterns in the form in which events are compared with them. Derived from the triggers, at every start and
//! with every change, so a crash leaves nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bide_types::limits::EVENT_TRIGGERS_PER_ACCOUNT_MAX;
use bide_types::resource::{Trigger, TriggerConfig};
use bide_types::{AccountId, FunctionId, TriggerName};

use super::Catalog;
use crate::error::Error;
use crate::events::Wanted;

type Key = (FunctionId, TriggerName);

/// A trigger that waits for events.
pub(crate) struct Subscription {
    pub(crate) trigger: Arc<Trigger>,
    pub(crate) wanted: Wanted,
}

#[derive(Default)]
pub(super) struct Subscriptions {
    accounts: HashMap<AccountId, BTreeMap<Key, Arc<Subscription>>>,
}

impl Subscriptions {
    /// # Errors
    /// When no event could fit, or the account has too many of them.
    pub(super) fn check(&self, account: &AccountId, trigger: &Trigger) -> Result<(), Error> {
        Wanted::of(account, trigger).map_err(Error::InvalidArgument)?;
        let Some(others) = self.accounts.get(account).filter(|_| waits(trigger)) else { return Ok(()) };
        if others.len() >= EVENT_TRIGGERS_PER_ACCOUNT_MAX && !others.contains_key(&key(trigger)) {
            return Err(Error::LimitExceeded(format!(
                "an account has at most {EVENT_TRIGGERS_PER_ACCOUNT_MAX} triggers that wait for events"
            )));
        }
        Ok(())
    }

    /// Shows a trigger as it is now.
    pub(super) fn put(&mut self, account: &AccountId, trigger: &Arc<Trigger>) {
        self.remove(trigger.function, &trigger.name);
        if !waits(trigger) {
            return;
        }
        match Wanted::of(account, trigger) {
            Ok(wanted) => {
                let subscription = Arc::new(Subscription { trigger: Arc::clone(trigger), wanted });
                self.accounts.entry(account.clone()).or_default().insert(key(trigger), subscription);
            }
            // It was checked when it was stored, by rules that another version of bide had.
            Err(error) => {
                tracing::error!(trigger = %trigger.name, %error, "a trigger sees no events; update its configuration");
            }
        }
    }

    pub(super) fn remove(&mut self, function: FunctionId, name: &TriggerName) {
        let key = (function, name.clone());
        self.accounts.retain(|_, subscriptions| {
            subscriptions.remove(&key);
            !subscriptions.is_empty()
        });
    }
}

impl Catalog {
    /// The triggers of an account that wait for events.
    pub(crate) fn subscriptions(&self, account: &AccountId) -> Vec<Arc<Subscription>> {
        let view = self.view();
        view.subscriptions.accounts.get(account).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }
}

fn key(trigger: &Trigger) -> Key {
    (trigger.function, trigger.name.clone())
}

fn waits(trigger: &Trigger) -> bool {
    match &trigger.config {
        TriggerConfig::EventBridge(config) => config.enabled,
        TriggerConfig::Oss(_) => true,
        TriggerConfig::Http(_) | TriggerConfig::Timer(_) => false,
    }
}
