//! Aliases of a service's versions: create, get, update, delete, list (fc-api 4.1).

use std::collections::BTreeMap;

use bide_types::resource::{AdditionalVersion, Alias};
use bide_types::{Qualifier, limits};
use serde::Serialize;

use super::{Answer, SETTINGS_BODY_BYTES_MAX, listing};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::query::Query;
use crate::reply;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AliasBody<'a> {
    alias_name: &'a str,
    version_id: String,
    description: &'a str,
    additional_version_weight: BTreeMap<String, f64>,
    created_time: String,
    last_modified_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AliasList<'a> {
    aliases: Vec<AliasBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl<'a> From<&'a Alias> for AliasBody<'a> {
    fn from(alias: &'a Alias) -> Self {
        let additional = alias.additional.iter();
        Self {
            alias_name: alias.name.as_str(),
            version_id: alias.version.to_string(),
            description: &alias.description,
            additional_version_weight: additional
                .map(|additional| (additional.version.to_string(), additional.weight))
                .collect(),
            created_time: alias.created_at.to_rfc3339(),
            last_modified_time: alias.modified_at.to_rfc3339(),
        }
    }
}

pub(super) async fn create(mut call: Call<'_>, service: &str) -> Answer {
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let mut fields = Fields::parse(&body.bytes)?;
    let name = fields.text("aliasName")?.ok_or_else(|| Fields::required("aliasName"))?;
    let now = call.state.clock.now();
    let service = call.state.engine.service(call.account(), service)?;
    let mut alias = Alias {
        account: call.account().clone(),
        service: service.value.name.clone(),
        name: alias_name(&name)?,
        description: String::new(),
        version: 0, // there is none of this number
        additional: None,
        created_at: now,
        modified_at: now,
    };
    apply(&mut fields, &mut alias)?;
    if alias.version == 0 {
        return Err(Fields::required("versionId"));
    }
    let alias = call.state.engine.create_alias(alias).await?;
    Ok(reply::json_with_etag(&AliasBody::from(&*alias.value)))
}

pub(super) async fn get(call: Call<'_>, service: &str, name: &str) -> Answer {
    let alias = call.state.engine.alias(call.account(), service, &Qualifier::new(name)?)?;
    Ok(reply::json_with_etag(&AliasBody::from(&*alias.value)))
}

pub(super) async fn update(mut call: Call<'_>, service: &str, name: &str) -> Answer {
    let current = call.state.engine.alias(call.account(), service, &Qualifier::new(name)?)?;
    reply::check_if_match(&call.head.headers, &AliasBody::from(&*current.value))?;
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let mut alias = current.value.as_ref().clone();
    apply(&mut Fields::parse(&body.bytes)?, &mut alias)?;
    let alias = call.state.engine.replace_alias(alias, Some(current.revision)).await?;
    Ok(reply::json_with_etag(&AliasBody::from(&*alias.value)))
}

pub(super) async fn delete(call: Call<'_>, service: &str, name: &str) -> Answer {
    let name = Qualifier::new(name)?;
    let current = call.state.engine.alias(call.account(), service, &name)?;
    reply::check_if_match(&call.head.headers, &AliasBody::from(&*current.value))?;
    call.state.engine.delete_alias(call.account(), service, &name, Some(current.revision)).await?;
    Ok(reply::no_content())
}

pub(super) async fn list(call: Call<'_>, service: &str) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let (aliases, next_token) = call.state.engine.aliases(call.account(), service, &listing(&query)?)?;
    let aliases = aliases.iter().map(|alias| AliasBody::from(&*alias.value)).collect();
    Ok(reply::json(&AliasList { aliases, next_token }))
}

/// A name that is told apart from versions and from `LATEST`.
fn alias_name(text: &str) -> Result<Qualifier, ApiError> {
    let name = Qualifier::new(text)?;
    if name.is_alias() {
        Ok(name)
    } else {
        Err(ApiError::invalid(format!("alias name '{name}' is invalid: it must not be LATEST or a number")))
    }
}

/// Changes what the caller says and leaves the rest.
fn apply(fields: &mut Fields, alias: &mut Alias) -> Result<(), ApiError> {
    if let Some(version) = fields.text("versionId")? {
        alias.version = version_number("versionId", &version)?;
    }
    if let Some(description) = fields.text_up_to("description", limits::DESCRIPTION_CHARS_MAX)? {
        alias.description = description;
    }
    if let Some(weights) = fields.object("additionalVersionWeight")? {
        alias.additional = additional(&weights.into_decimals()?)?;
    }
    Ok(())
}

/// An empty map takes the additional version away.
fn additional(weights: &BTreeMap<String, f64>) -> Result<Option<AdditionalVersion>, ApiError> {
    let mut weights = weights.iter();
    let Some((version, weight)) = weights.next() else { return Ok(None) };
    if weights.next().is_some() {
        return Err(ApiError::invalid("field 'additionalVersionWeight' may name one version"));
    }
    if !(0.0..=1.0).contains(weight) {
        return Err(ApiError::invalid("field 'additionalVersionWeight' must have a weight from 0 to 1"));
    }
    let version = version_number("additionalVersionWeight", version)?;
    Ok(Some(AdditionalVersion { version, weight: *weight }))
}

fn version_number(field: &str, text: &str) -> Result<u32, ApiError> {
    let number = Qualifier::new(text).ok().and_then(|version| version.version_number());
    number.filter(|number| *number > 0).ok_or_else(|| {
        ApiError::invalid(format!(
            "field '{field}' must name a published version by its number, not '{text}'"
        ))
    })
}
