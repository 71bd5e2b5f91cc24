//! Asynchronous invocation configurations: put, delete. They are read through the [`Target`].

use std::sync::Arc;

use bide_store::{ControlWrite, Expected};
use bide_types::Timestamp;
use bide_types::resource::AsyncInvokeConfig;

use super::stored::{config_key_of, encode};
use super::{Catalog, Target, Versioned, removal};
use crate::arn::{self, DestinationArn};
use crate::destinations::Destinations;
use crate::error::Error;

impl Catalog {
    /// Creates or changes the configuration of a target: `change` gets the present one, or an empty one.
    pub(crate) async fn put_async_config(
        &self,
        target: &Target,
        destinations: &dyn Destinations,
        now: Timestamp,
        change: impl FnOnce(&mut AsyncInvokeConfig) + Send,
    ) -> Result<Versioned<AsyncInvokeConfig>, Error> {
        let changing = self.begin().await;
        let target = self.refresh(target)?;
        let current = target.async_config();
        let mut config = current.map_or_else(|| empty(&target, now), |config| config.value.as_ref().clone());
        change(&mut config);
        config.modified_at = now;
        let said = [config.on_success.as_deref(), config.on_failure.as_deref()];
        for destination in said.into_iter().flatten().filter(|said| !is_kept(current, said)) {
            self.check_destination(&target, destinations, destination)?;
        }
        let write = ControlWrite {
            key: config_key_of(&config),
            expected: current.map_or(Expected::Absent, |config| Expected::Revision(config.revision)),
            value: Some(encode(&config)),
        };
        self.commit(changing, vec![write], |view, revision| {
            let config = Versioned { value: Arc::new(config), revision };
            view.put_config(config.clone());
            config
        })
        .await
    }

    pub(crate) async fn delete_async_config(&self, target: &Target) -> Result<(), Error> {
        let changing = self.begin().await;
        let target = self.refresh(target)?;
        let config = target.async_config().ok_or_else(|| no_config(&target))?.clone();
        let write = removal(config_key_of(&config.value), config.revision);
        self.commit(changing, vec![write], move |view, _| {
            view.remove_config(config.value.function, &config.value.qualifier);
        })
        .await
    }

    /// A destination must be of the same account, and another function or a resource that something stands for
    /// (fc-behaviour 12); not one with an HTTP trigger (2.1). Whether a function exists is seen when a record is
    /// delivered.
    fn check_destination(
        &self,
        target: &Target,
        destinations: &dyn Destinations,
        destination: &str,
    ) -> Result<(), Error> {
        let function = target.function();
        let arn = arn::parse(destination).map_err(|error| Error::InvalidArgument(error.to_string()))?;
        if arn.account().is_some_and(|account| *account != function.account) {
            return Err(Error::InvalidArgument(format!("destination '{destination}' is of another account")));
        }
        match arn {
            DestinationArn::Function(arn)
                if arn.service == function.service && arn.function == function.name =>
            {
                Err(Error::InvalidArgument("a function cannot be its own destination".to_owned()))
            }
            // The catalog may not know it: it may be created later.
            DestinationArn::Function(arn) => {
                let (service, name) = (arn.service.as_str(), arn.function.as_str());
                match self.resolve(&function.account, service, name, &arn.qualifier, || 0.0) {
                    Ok(found) if found.http_trigger().is_some() => Err(Error::InvalidArgument(format!(
                        "destination '{destination}' has an HTTP trigger; only an event function can be a destination"
                    ))),
                    _ => Ok(()),
                }
            }
            DestinationArn::Resource(resource) => {
                let name = resource.in_full(&self.region, &function.account);
                destinations.find(&name).map(|_| ()).ok_or_else(|| Error::InvalidArgument(unmapped(&name)))
            }
        }
    }
}

fn unmapped(name: &str) -> String {
    format!(
        "nothing stands for destination '{name}': add a table [[destinations]] with arn = \"{name}\", or a pattern \
         with '*', and a target to the settings file of the server, and start it again"
    )
}

/// Whether a destination was in force before, so that it is not judged anew by a change of something else.
fn is_kept(current: Option<&Versioned<AsyncInvokeConfig>>, destination: &str) -> bool {
    current.is_some_and(|config| {
        let kept = [&config.value.on_success, &config.value.on_failure];
        kept.into_iter().flatten().any(|kept| kept == destination)
    })
}

pub(crate) fn no_config(target: &Target) -> Error {
    let function = target.function();
    Error::AsyncConfigNotExists { service: function.service.clone(), function: function.name.clone() }
}

fn empty(target: &Target, now: Timestamp) -> AsyncInvokeConfig {
    AsyncInvokeConfig {
        function: target.function().id,
        qualifier: target.qualifier.clone(),
        stateful: None,
        retry_attempts_max: None,
        event_age_max_seconds: None,
        on_success: None,
        on_failure: None,
        former_since: None,
        created_at: now,
        modified_at: now,
    }
}
