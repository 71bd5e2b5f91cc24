//! Triggers: create, get, update, delete, list.

mod eventbridge;
mod http;
mod oss;
mod timer;

use axum::body::Body;
use axum::http::Response;
use bide_engine::{Target, Versioned};
use bide_types::resource::{Function, Trigger, TriggerConfig};
use bide_types::{Qualifier, TriggerName, limits};
use serde::Serialize;

use super::{Answer, listing};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::query::Query;
use crate::reply;

pub(super) use http::read_methods;

/// Types of the service that bide knows of and does not have.
const ABSENT_TYPES: [&str; 4] = ["log", "tablestore", "cdn_events", "mns_topic"];
const ARN_CHARS_MAX: usize = 512;
/// Largest body: the payload of a timer may have 128 KiB and is JSON within JSON text.
const TRIGGER_BODY_BYTES_MAX: usize = 1024 * 1024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TriggerBody<'a> {
    trigger_id: &'a str,
    trigger_name: &'a str,
    description: &'a str,
    trigger_type: &'static str,
    trigger_config: ConfigBody<'a>,
    qualifier: &'a str,
    source_arn: &'a str,
    invocation_role: &'a str,
    #[serde(flatten)]
    addresses: Option<http::Addresses>,
    created_time: String,
    last_modified_time: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum ConfigBody<'a> {
    Http(http::ConfigBody<'a>),
    Timer(timer::ConfigBody<'a>),
    EventBridge(eventbridge::ConfigBody<'a>),
    Oss(oss::ConfigBody<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TriggerList<'a> {
    triggers: Vec<TriggerBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl<'a> TriggerBody<'a> {
    fn new(call: &Call<'_>, function: &Function, trigger: &'a Trigger) -> Self {
        let (trigger_config, addresses) = match &trigger.config {
            TriggerConfig::Http(config) => (
                ConfigBody::Http(http::ConfigBody::new(config)),
                Some(http::addresses(call, function, &trigger.qualifier, config)),
            ),
            TriggerConfig::Timer(config) => (ConfigBody::Timer(timer::ConfigBody::new(config)), None),
            TriggerConfig::EventBridge(config) => {
                (ConfigBody::EventBridge(eventbridge::ConfigBody::new(config)), None)
            }
            TriggerConfig::Oss(config) => (ConfigBody::Oss(oss::ConfigBody::new(config)), None),
        };
        Self {
            trigger_id: &trigger.id,
            trigger_name: trigger.name.as_str(),
            description: &trigger.description,
            trigger_type: trigger.config.type_name(),
            trigger_config,
            qualifier: trigger.qualifier.as_str(),
            source_arn: &trigger.source_arn,
            invocation_role: &trigger.invocation_role,
            addresses,
            created_time: trigger.created_at.to_rfc3339(),
            last_modified_time: trigger.modified_at.to_rfc3339(),
        }
    }
}

pub(super) async fn create(mut call: Call<'_>, service: &str, function: &str) -> Answer {
    let body = call.read_body(TRIGGER_BODY_BYTES_MAX).await?;
    let mut fields = Fields::parse(&body.bytes)?;
    let name = fields.text("triggerName")?.ok_or_else(|| Fields::required("triggerName"))?;
    let kind = fields.text("triggerType")?.ok_or_else(|| Fields::required("triggerType"))?;
    let config = read_config(&kind, &mut fields, None)?.ok_or_else(|| Fields::required("triggerConfig"))?;
    let now = call.state.clock.now();
    let target = target(&call, service, function)?;
    let mut trigger = Trigger {
        id: bide_env::request_id(&*call.state.entropy).as_str().to_owned(),
        function: target.function().id,
        name: TriggerName::new(&name)?,
        description: String::new(),
        qualifier: Qualifier::latest(),
        source_arn: fields.text_up_to("sourceArn", ARN_CHARS_MAX)?.unwrap_or_default(),
        invocation_role: String::new(),
        config,
        created_at: now,
        modified_at: now,
    };
    apply(&mut fields, &mut trigger)?;
    check_qualifier(&call, &target, &trigger)?;
    let created = call.state.engine.create_trigger(&target, trigger).await?;
    Ok(answer(&call, target.function(), &created))
}

pub(super) async fn get(call: Call<'_>, service: &str, function: &str, name: &str) -> Answer {
    let target = target(&call, service, function)?;
    let trigger = call.state.engine.trigger(call.account(), service, function, name)?;
    Ok(answer(&call, target.function(), &trigger))
}

pub(super) async fn update(mut call: Call<'_>, service: &str, function: &str, name: &str) -> Answer {
    let current = call.state.engine.trigger(call.account(), service, function, name)?;
    reply::check_if_match(&call.head.headers, &*current.value)?;
    let body = call.read_body(TRIGGER_BODY_BYTES_MAX).await?;
    let mut fields = Fields::parse(&body.bytes)?;
    let mut trigger = current.value.as_ref().clone();
    let kind = trigger.config.type_name();
    if let Some(config) = read_config(kind, &mut fields, Some(&trigger.config))? {
        trigger.config = config;
    }
    apply(&mut fields, &mut trigger)?;
    let target = target(&call, service, function)?;
    check_qualifier(&call, &target, &trigger)?;
    let changed = call.state.engine.replace_trigger(&target, trigger, Some(current.revision)).await?;
    Ok(answer(&call, target.function(), &changed))
}

pub(super) async fn delete(call: Call<'_>, service: &str, function: &str, name: &str) -> Answer {
    let current = call.state.engine.trigger(call.account(), service, function, name)?;
    reply::check_if_match(&call.head.headers, &*current.value)?;
    let revision = Some(current.revision);
    call.state.engine.delete_trigger(call.account(), service, function, name, revision).await?;
    Ok(reply::no_content())
}

pub(super) async fn list(call: Call<'_>, service: &str, function: &str) -> Answer {
    let listing = listing(&Query::parse(call.head.uri.query())?)?;
    let target = target(&call, service, function)?;
    let (triggers, next_token) = call.state.engine.triggers(call.account(), service, function, &listing)?;
    let triggers =
        triggers.iter().map(|trigger| TriggerBody::new(&call, target.function(), &trigger.value)).collect();
    Ok(reply::json(&TriggerList { triggers, next_token }))
}

fn target(call: &Call<'_>, service: &str, function: &str) -> Result<Target, ApiError> {
    Ok(call.state.engine.resolve(call.account(), service, function, &Qualifier::latest())?)
}

/// The entity tag is that of what is stored: the addresses in the body depend on how the caller reached us.
fn answer(call: &Call<'_>, function: &Function, trigger: &Versioned<Trigger>) -> Response<Body> {
    reply::json_tagged(&TriggerBody::new(call, function, &trigger.value), &*trigger.value)
}

/// Changes what the caller says and leaves the rest.
fn apply(fields: &mut Fields, trigger: &mut Trigger) -> Result<(), ApiError> {
    if let Some(description) = fields.text_up_to("description", limits::DESCRIPTION_CHARS_MAX)? {
        trigger.description = description;
    }
    if let Some(role) = fields.text_up_to("invocationRole", ARN_CHARS_MAX)? {
        trigger.invocation_role = role;
    }
    if let Some(qualifier) = fields.text("qualifier")?.filter(|qualifier| !qualifier.is_empty()) {
        trigger.qualifier = Qualifier::new(&qualifier)?;
    }
    Ok(())
}

/// A trigger for a qualifier that does not exist would never fire.
fn check_qualifier(call: &Call<'_>, target: &Target, trigger: &Trigger) -> Result<(), ApiError> {
    let function = target.function();
    let (service, name) = (function.service.as_str(), function.name.as_str());
    call.state.engine.resolve(call.account(), service, name, &trigger.qualifier)?;
    Ok(())
}

/// The `triggerConfig` of a trigger of type `kind`; what it does not say stays as in `current`.
fn read_config(
    kind: &str,
    fields: &mut Fields,
    current: Option<&TriggerConfig>,
) -> Result<Option<TriggerConfig>, ApiError> {
    let read = match kind {
        "http" => http::read_config,
        "timer" => timer::read_config,
        "eventbridge" => eventbridge::read_config,
        "oss" => oss::read_config,
        _ => {
            let known = if ABSENT_TYPES.contains(&kind) { "not supported yet" } else { "unknown" };
            return Err(ApiError::invalid(format!(
                "trigger type '{kind}' is {known}: use http, timer, eventbridge or oss"
            )));
        }
    };
    let Some(mut fields) = fields.object_or_text("triggerConfig")? else { return Ok(None) };
    read(&mut fields, current).map(Some)
}
