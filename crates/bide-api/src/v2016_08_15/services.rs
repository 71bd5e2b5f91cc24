//! Services: create, get, update, delete, list.

use std::collections::BTreeMap;

use bide_types::resource::Service;
use bide_types::{ServiceName, limits};
use serde::Serialize;
use serde_json::Value;

use super::{Answer, SETTINGS_BODY_BYTES_MAX, listing};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::path::service_and_qualifier;
use crate::query::Query;
use crate::reply;

/// Options that bide keeps and returns but does not act on.
const OPAQUE_OPTIONS: [&str; 4] = ["logConfig", "vpcConfig", "nasConfig", "tracingConfig"];
const ROLE_CHARS_MAX: usize = 300;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceBody<'a> {
    service_name: &'a str,
    service_id: &'a str,
    description: &'a str,
    role: &'a str,
    internet_access: bool,
    #[serde(flatten)]
    opaque: BTreeMap<&'a str, Value>,
    created_time: String,
    last_modified_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ServiceList<'a> {
    services: Vec<ServiceBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl<'a> From<&'a Service> for ServiceBody<'a> {
    fn from(service: &'a Service) -> Self {
        let opaque = service.opaque.iter().filter_map(|(name, json)| {
            Some((name.as_str(), serde_json::from_str(json).ok()?)) // it was JSON when it was taken in
        });
        Self {
            service_name: service.name.as_str(),
            service_id: &service.service_id,
            description: &service.description,
            role: &service.role,
            internet_access: service.internet_access,
            opaque: opaque.collect(),
            created_time: service.created_at.to_rfc3339(),
            last_modified_time: service.modified_at.to_rfc3339(),
        }
    }
}

pub(super) async fn create(mut call: Call<'_>) -> Answer {
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let mut fields = Fields::parse(&body.bytes)?;
    let name = fields.text("serviceName")?.ok_or_else(|| fields.missing("serviceName"))?;
    let now = call.state.clock.now();
    let mut service = Service {
        account: call.account().clone(),
        name: ServiceName::new(&name)?,
        service_id: bide_env::request_id(&*call.state.entropy).as_str().to_owned(),
        description: String::new(),
        role: String::new(),
        internet_access: true,
        opaque: BTreeMap::new(),
        last_version: 0,
        created_at: now,
        modified_at: now,
    };
    apply(&mut fields, &mut service)?;
    let service = call.state.engine.create_service(service).await?;
    Ok(reply::json_with_etag(&ServiceBody::from(&*service.value)))
}

pub(super) async fn get(call: Call<'_>, segment: &str) -> Answer {
    let (name, qualifier) = service_and_qualifier(segment)?;
    let service = call.state.engine.service_at(call.account(), name, &qualifier)?;
    Ok(reply::json_with_etag(&ServiceBody::from(&*service)))
}

pub(super) async fn update(mut call: Call<'_>, name: &str) -> Answer {
    let current = call.state.engine.service(call.account(), name)?;
    reply::check_if_match(&call.head.headers, &ServiceBody::from(&*current.value))?;
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let mut service = current.value.as_ref().clone();
    apply(&mut Fields::parse(&body.bytes)?, &mut service)?;
    let service = call.state.engine.replace_service(service, Some(current.revision)).await?;
    Ok(reply::json_with_etag(&ServiceBody::from(&*service.value)))
}

pub(super) async fn delete(call: Call<'_>, name: &str) -> Answer {
    let current = call.state.engine.service(call.account(), name)?;
    reply::check_if_match(&call.head.headers, &ServiceBody::from(&*current.value))?;
    call.state.engine.delete_service(call.account(), name, Some(current.revision)).await?;
    Ok(reply::no_content())
}

pub(super) async fn list(call: Call<'_>) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let (services, next_token) = call.state.engine.services(call.account(), &listing(&query)?);
    let services = services.iter().map(|service| ServiceBody::from(&*service.value)).collect();
    Ok(reply::json(&ServiceList { services, next_token }))
}

/// Changes what the caller says and leaves the rest.
fn apply(fields: &mut Fields, service: &mut Service) -> Result<(), ApiError> {
    if let Some(description) = fields.text_up_to("description", limits::DESCRIPTION_CHARS_MAX)? {
        service.description = description;
    }
    if let Some(role) = fields.text_up_to("role", ROLE_CHARS_MAX)? {
        service.role = role;
    }
    if let Some(internet_access) = fields.flag("internetAccess")? {
        service.internet_access = internet_access;
    }
    for name in OPAQUE_OPTIONS {
        if let Some(json) = fields.opaque_object(name)? {
            service.opaque.insert(name.to_owned(), json);
        }
    }
    Ok(())
}
