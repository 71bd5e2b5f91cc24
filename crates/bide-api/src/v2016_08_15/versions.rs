//! Versions of a service: publish, list, delete (fc-api 4.1).

use bide_engine::{PublishedVersion, VersionListing};
use bide_types::{Qualifier, limits};
use serde::Serialize;

use super::services::ServiceBody;
use super::{Answer, SETTINGS_BODY_BYTES_MAX};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::query::Query;
use crate::reply;

/// The Go library capitalises the name.
const DESCRIPTION_FIELDS: [&str; 2] = ["description", "Description"];

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionBody<'a> {
    version_id: String,
    description: &'a str,
    created_time: String,
    /// That of creation: a version never changes.
    last_modified_time: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionList<'a> {
    versions: Vec<VersionBody<'a>>,
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl<'a> From<&'a PublishedVersion> for VersionBody<'a> {
    fn from(version: &'a PublishedVersion) -> Self {
        Self {
            version_id: version.number.to_string(),
            description: &version.description,
            created_time: version.created_at.to_rfc3339(),
            last_modified_time: version.created_at.to_rfc3339(),
        }
    }
}

/// `If-Match` is about the service that is published.
pub(super) async fn publish(mut call: Call<'_>, service: &str) -> Answer {
    let current = call.state.engine.service(call.account(), service)?;
    reply::check_if_match(&call.head.headers, &ServiceBody::from(&*current.value))?;
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let mut fields = Fields::parse(&body.bytes)?;
    let mut description = None;
    for name in DESCRIPTION_FIELDS {
        description = description.or(fields.text_up_to(name, limits::DESCRIPTION_CHARS_MAX)?);
    }
    let description = description.unwrap_or_default();
    let revision = Some(current.revision);
    let version = call.state.engine.publish_version(call.account(), service, description, revision).await?;
    Ok(reply::json_with_etag(&VersionBody::from(&version)))
}

pub(super) async fn list(call: Call<'_>, service: &str) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let newest_first = match query.text("direction") {
        None | Some("BACKWARD") => true,
        Some("FORWARD") => false,
        Some(_) => {
            return Err(ApiError::invalid("query parameter 'direction' must be FORWARD or BACKWARD"));
        }
    };
    let token = query.number("nextToken", 0..=u32::MAX)?;
    let listing = VersionListing {
        newest_first,
        start: token.or(query.number("startKey", 0..=u32::MAX)?),
        limit: query.limit(limits::LIST_PAGE_DEFAULT)?,
    };
    let (versions, next) = call.state.engine.versions(call.account(), service, listing)?;
    Ok(reply::json(&VersionList {
        versions: versions.iter().map(VersionBody::from).collect(),
        direction: if newest_first { "BACKWARD" } else { "FORWARD" },
        next_token: next.map(|number| number.to_string()),
    }))
}

pub(super) async fn delete(call: Call<'_>, service: &str, version: &str) -> Answer {
    let version = Qualifier::new(version)?;
    let current = call.state.engine.version(call.account(), service, &version)?;
    reply::check_if_match(&call.head.headers, &VersionBody::from(&current))?;
    call.state.engine.delete_version(call.account(), service, &version).await?;
    Ok(reply::no_content())
}
