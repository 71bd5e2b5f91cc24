//! Asynchronous invocation configurations: put, get, delete, list (fc-api 5).

use bide_engine::Target;
use bide_types::limits::{EVENT_AGE_MAX, RETRY_ATTEMPTS_MAX};
use bide_types::resource::AsyncInvokeConfig;
use bide_types::{AccountId, Qualifier, limits};
use serde::Serialize;

use super::{Answer, SETTINGS_BODY_BYTES_MAX, page, target};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::query::Query;
use crate::{destination, reply};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigBody<'a> {
    service: &'a str,
    function: &'a str,
    qualifier: &'a str,
    created_time: String,
    last_modified_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_async_event_age_in_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_async_retry_attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stateful_invocation: Option<bool>,
    destination_config: DestinationConfig<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DestinationConfig<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    on_success: Option<Destination<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_failure: Option<Destination<'a>>,
}

#[derive(Serialize)]
struct Destination<'a> {
    destination: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfigList<'a> {
    configs: Vec<ConfigBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl<'a> ConfigBody<'a> {
    fn new(target: &'a Target, config: &'a AsyncInvokeConfig) -> Self {
        let function = target.function();
        let destination =
            |target: &'a Option<String>| target.as_deref().map(|destination| Destination { destination });
        Self {
            service: function.service.as_str(),
            function: function.name.as_str(),
            qualifier: config.qualifier.as_str(),
            created_time: config.created_at.to_rfc3339(),
            last_modified_time: config.modified_at.to_rfc3339(),
            max_async_event_age_in_seconds: config.event_age_max_seconds,
            max_async_retry_attempts: config.retry_attempts_max,
            stateful_invocation: config.stateful,
            destination_config: DestinationConfig {
                on_success: destination(&config.on_success),
                on_failure: destination(&config.on_failure),
            },
        }
    }
}

/// What a put call says; `None` is "not said", and an empty destination takes it away.
struct ConfigFields {
    stateful: Option<bool>,
    retry_attempts_max: Option<u32>,
    event_age_max_seconds: Option<u64>,
    on_success: Option<String>,
    on_failure: Option<String>,
}

pub(super) async fn put(mut call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = target(&call, segment, function)?;
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let said = read(&mut Fields::parse(&body.bytes)?, call.account())?;
    let config = call.state.engine.put_async_config(&target, |config| said.apply(config)).await?;
    Ok(reply::json(&ConfigBody::new(&target, &config.value)))
}

pub(super) async fn get(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = target(&call, segment, function)?;
    let config = call.state.engine.async_config(&target)?;
    Ok(reply::json(&ConfigBody::new(&target, &config.value)))
}

pub(super) async fn delete(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = target(&call, segment, function)?;
    call.state.engine.delete_async_config(&target).await?;
    Ok(reply::no_content())
}

pub(super) async fn list(call: Call<'_>, service: &str, function: &str) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let target = call.state.engine.resolve(call.account(), service, function, &Qualifier::latest())?;
    let configs = call.state.engine.async_configs(&target);
    let named = configs.iter().map(|config| (config.value.qualifier.to_string(), config));
    let (configs, next_token) = page(named, query.text("nextToken"), query.limit(limits::LIST_PAGE_DEFAULT)?);
    let configs = configs.into_iter().map(|config| ConfigBody::new(&target, &config.value)).collect();
    Ok(reply::json(&ConfigList { configs, next_token }))
}

fn read(fields: &mut Fields, caller: &AccountId) -> Result<ConfigFields, ApiError> {
    let mut destinations = fields.object("destinationConfig")?;
    let mut destination = |slot: &str| -> Result<Option<String>, ApiError> {
        let Some(destinations) = destinations.as_mut() else { return Ok(None) };
        let Some(mut slot_fields) = destinations.object(slot)? else { return Ok(None) };
        let Some(resource) = slot_fields.text("destination")? else { return Ok(None) };
        if !resource.is_empty() {
            destination::parse(&format!("destinationConfig.{slot}.destination"), &resource, caller)?;
        }
        Ok(Some(resource))
    };
    let (on_success, on_failure) = (destination("onSuccess")?, destination("onFailure")?);
    Ok(ConfigFields {
        stateful: fields.flag("statefulInvocation")?,
        retry_attempts_max: fields.number("maxAsyncRetryAttempts", 0..=RETRY_ATTEMPTS_MAX)?,
        event_age_max_seconds: fields.number("maxAsyncEventAgeInSeconds", 1..=EVENT_AGE_MAX.as_secs())?,
        on_success,
        on_failure,
    })
}

impl ConfigFields {
    /// Changes what was said and leaves the rest.
    fn apply(self, config: &mut AsyncInvokeConfig) {
        config.stateful = self.stateful.or(config.stateful);
        config.retry_attempts_max = self.retry_attempts_max.or(config.retry_attempts_max);
        config.event_age_max_seconds = self.event_age_max_seconds.or(config.event_age_max_seconds);
        for (slot, said) in
            [(&mut config.on_success, self.on_success), (&mut config.on_failure, self.on_failure)]
        {
            if let Some(resource) = said {
                *slot = Some(resource).filter(|resource| !resource.is_empty());
            }
        }
    }
}
