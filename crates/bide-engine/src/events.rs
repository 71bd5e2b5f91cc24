//! Events from outside: each becomes one asynchronous invocation of every trigger that waits for it.
//!
//! Owns which triggers an event fits, and the identity of what follows. All that follows is durable when
//! [`Engine::publish`] returns without an error; a crash or an error before that leaves a part of it stored or none, and
//! the event is sent again by its source. The task of an event at a trigger has an id derived from both and runs in task
//! mode whatever the configuration says, so what was stored before is found and not submitted twice.

mod cloud;
mod object;
mod pattern;

use std::time::Duration;

use bide_env::derived_request_id;
use bide_types::limits::ASYNC_PAYLOAD_BYTES_MAX;
use bide_types::resource::{Trigger, TriggerConfig};
use bide_types::{AccountId, RequestId};
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

pub use cloud::{CloudEvent, EventData, InvalidEvent};
pub use object::ObjectEvent;

use crate::catalog::Target;
use crate::error::Error;
use crate::invoke::AsyncCall;
use crate::options::PUBLISHED_AT_ONCE;
use crate::start::Engine;
use object::ObjectFilter;
use pattern::Pattern;

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum SourceEvent {
    Cloud(CloudEvent),
    Object(Box<ObjectEvent>),
}

/// What a trigger waits for.
pub(crate) enum Wanted {
    Cloud(Pattern),
    Object(ObjectFilter),
    Nothing,
}

/// What became of some events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Invocations that were submitted now.
    pub accepted: usize,
    /// Invocations that had been submitted for the same events before.
    pub repeated: usize,
}

/// What became of an invocation that may have been submitted before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    Accepted,
    Repeated,
}

/// The id of what follows from an occurrence that its source identifies by `identity`: always the same, and no other's.
pub fn occurrence_id(source: &str, identity: &[&[u8]]) -> RequestId {
    let mut digest = Sha256::new().chain_update("bide event\0").chain_update(source);
    for part in identity {
        // With its length, so that no two lists of parts are one text.
        digest.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        digest.update(part);
    }
    derived_request_id(*digest.finalize().first_chunk().expect("a digest has 32 bytes"))
}

impl Engine {
    /// Submits what the events of an account lead to; it is durable when this returns.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for an event that no asynchronous invocation could carry: nothing was submitted then. Else as
    /// [`Engine::submit`]: a part may have been submitted, and publishing the same events again submits the rest.
    pub async fn publish(&self, account: &AccountId, events: Vec<SourceEvent>) -> Result<Published, Error> {
        let events: Vec<_> = events.into_iter().map(Occurrence::new).collect::<Result<_, _>>()?;
        let subscriptions = self.shared.catalog.subscriptions(account);
        let (mut published, mut under_way) = (Published::default(), JoinSet::new());
        for occurrence in &events {
            for subscription in &subscriptions {
                if !subscription.wanted.fits(occurrence) {
                    continue;
                }
                if under_way.len() >= PUBLISHED_AT_ONCE {
                    published.count(&mut under_way).await?;
                }
                let Some(target) = self.target_of(&subscription.trigger) else { continue };
                let id = occurrence_id(&subscription.trigger.id, &occurrence.identity());
                let (engine, payload) = (self.clone(), occurrence.payload.clone());
                under_way.spawn(async move { engine.submit_once(&target, id, payload).await });
            }
        }
        while !under_way.is_empty() {
            published.count(&mut under_way).await?;
        }
        Ok(published)
    }

    /// Submits an invocation that another call may have submitted, under the same id; durable when this returns.
    ///
    /// # Errors
    /// [`Error::TooLarge`]; else as [`Engine::submit`].
    pub async fn submit_once(&self, target: &Target, id: RequestId, payload: Bytes) -> Result<Once, Error> {
        check_size(&payload)?;
        let call = AsyncCall {
            request_id: id,
            task_id: None,
            stateful: true,
            delay: Duration::ZERO,
            payload,
            parent: None,
            http: None,
        };
        match self.submit(target, call).await {
            Ok(_) => Ok(Once::Accepted),
            Err(Error::TaskExists(_)) => Ok(Once::Repeated),
            Err(error) => Err(error),
        }
    }

    /// Nothing if there is nobody to invoke.
    fn target_of(&self, trigger: &Trigger) -> Option<Target> {
        let target = self.shared.catalog.of_trigger(trigger);
        let gone = |error| {
            tracing::warn!(
                trigger = %trigger.name, function = %trigger.function, %error, "a trigger for events invokes nothing"
            );
        };
        target.map_err(gone).ok()
    }
}

impl Published {
    /// Waits for one of the submissions under way.
    async fn count(&mut self, under_way: &mut JoinSet<Result<Once, Error>>) -> Result<(), Error> {
        match under_way.join_next().await {
            Some(Ok(Ok(Once::Accepted))) => self.accepted += 1,
            Some(Ok(Ok(Once::Repeated))) => self.repeated += 1,
            Some(Ok(Err(error))) => return Err(error),
            Some(Err(_)) => return Err(Error::System("a submission broke off".to_owned())),
            None => {}
        }
        Ok(())
    }
}

/// An event, and what is made of it once for all triggers.
struct Occurrence {
    event: SourceEvent,
    payload: Bytes,
    /// What patterns are compared with.
    value: Value,
}

impl Occurrence {
    fn new(event: SourceEvent) -> Result<Self, Error> {
        let payload = match &event {
            SourceEvent::Cloud(event) => event.to_json(),
            SourceEvent::Object(event) => event.to_json(),
        };
        check_size(&payload)?;
        let value = match &event {
            SourceEvent::Cloud(_) => serde_json::from_slice(&payload).unwrap_or_default(),
            SourceEvent::Object(_) => Value::Null,
        };
        Ok(Self { event, payload, value })
    }

    /// What the source says makes it this one.
    fn identity(&self) -> [&[u8]; 2] {
        match &self.event {
            SourceEvent::Cloud(event) => [event.source().as_bytes(), event.id().as_bytes()],
            SourceEvent::Object(event) => [event.bucket.as_bytes(), &event.identity],
        }
    }
}

impl Wanted {
    /// # Errors
    /// Says which part of the trigger is wrong.
    pub(crate) fn of(account: &AccountId, trigger: &Trigger) -> Result<Self, String> {
        match &trigger.config {
            TriggerConfig::EventBridge(config) => {
                let wrong = |error| format!("field 'triggerConfig.eventRuleFilterPattern': {error}");
                Pattern::parse(&config.pattern).map(Self::Cloud).map_err(wrong)
            }
            TriggerConfig::Oss(config) => {
                ObjectFilter::new(account, &trigger.source_arn, config).map(Self::Object)
            }
            TriggerConfig::Http(_) | TriggerConfig::Timer(_) => Ok(Self::Nothing),
        }
    }

    fn fits(&self, occurrence: &Occurrence) -> bool {
        match (self, &occurrence.event) {
            (Self::Cloud(pattern), SourceEvent::Cloud(_)) => pattern.fits(&occurrence.value),
            (Self::Object(filter), SourceEvent::Object(event)) => filter.fits(event),
            (Self::Cloud(_), SourceEvent::Object(_))
            | (Self::Object(_), SourceEvent::Cloud(_))
            | (Self::Nothing, _) => false,
        }
    }
}

fn check_size(payload: &Bytes) -> Result<(), Error> {
    if payload.len() > ASYNC_PAYLOAD_BYTES_MAX {
        return Err(Error::TooLarge(format!(
            "payload size exceeds maximum allowed size ({ASYNC_PAYLOAD_BYTES_MAX} bytes): the event would have {} bytes",
            payload.len()
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
