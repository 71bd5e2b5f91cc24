//! Provision configurations: how many instances are kept ready (fc-api 4.1).

use bide_engine::{Provision, Target};
use bide_types::limits::{CONFIGURED_INSTANCES_MAX, LIST_PAGE_DEFAULT};
use serde::Serialize;

use super::{Answer, SETTINGS_BODY_BYTES_MAX, page, target};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::query::Query;
use crate::reply;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProvisionBody {
    resource: String,
    target: u32,
    current: usize,
    /// Why `current` is less than `target`.
    #[serde(skip_serializing_if = "Option::is_none")]
    current_error: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProvisionList {
    provision_configs: Vec<ProvisionBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl ProvisionBody {
    fn new(target: &Target, provision: Provision) -> Self {
        Self {
            resource: resource(target),
            target: provision.target,
            current: provision.status.current,
            current_error: provision.status.error,
        }
    }
}

pub(super) async fn put(mut call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = target(&call, segment, function)?;
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let mut fields = Fields::parse(&body.bytes)?;
    for policy in ["scheduledActions", "targetTrackingPolicies"] {
        if fields.has_items(policy)? {
            return Err(ApiError::invalid(format!(
                "field '{policy}' is not supported by bide: set 'target'"
            )));
        }
    }
    let count = fields.number("target", 0..=CONFIGURED_INSTANCES_MAX)?;
    let count = count.ok_or_else(|| Fields::required("target"))?;
    let provision = call.state.engine.put_provision_config(&target, count).await?;
    Ok(reply::json(&ProvisionBody::new(&target, provision)))
}

pub(super) async fn get(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = target(&call, segment, function)?;
    let provision = call.state.engine.provision_config(&target)?;
    Ok(reply::json(&ProvisionBody::new(&target, provision)))
}

pub(super) async fn list(call: Call<'_>) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let (service, qualifier) = (query.text("serviceName"), query.text("qualifier"));
    let wanted = |target: &Target| {
        service.is_none_or(|service| target.function().service.as_str() == service)
            && qualifier.is_none_or(|qualifier| target.qualifier.as_str() == qualifier)
    };
    let mut found = call.state.engine.provision_configs(call.account());
    found.retain(|(target, _)| wanted(target));
    let mut found: Vec<_> =
        found.into_iter().map(|(target, provision)| ProvisionBody::new(&target, provision)).collect();
    found.sort_unstable_by(|one, other| one.resource.cmp(&other.resource));
    let named = found.into_iter().map(|body| (body.resource.clone(), body));
    let (provision_configs, next_token) =
        page(named, query.text("nextToken"), query.limit(LIST_PAGE_DEFAULT)?);
    Ok(reply::json(&ProvisionList { provision_configs, next_token }))
}

fn resource(target: &Target) -> String {
    let function = target.function();
    format!("{}#{}#{}#{}", function.account, function.service, target.qualifier, function.name)
}
