//! Layers: publish, get, delete and list versions (fc-api 4.1).

use bide_engine::{NewLayerVersion, PublishedLayer};
use bide_types::limits::{DESCRIPTION_CHARS_MAX, LIST_PAGE_DEFAULT, MANAGEMENT_BODY_BYTES_MAX};
use bide_types::{ErrorCode, LayerName};
use serde::Serialize;

use super::{Answer, code, listing};
use crate::code_package::{self, Package};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::query::Query;
use crate::reply;

/// Names in the list of compatible runtimes, and the characters of one.
const RUNTIMES_MAX: usize = 50;
const RUNTIME_CHARS_MAX: usize = 64;
/// Layers are visible within their account.
const ACL_PRIVATE: u32 = 0;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerBody<'a> {
    layer_name: &'a str,
    version: u32,
    description: &'a str,
    compatible_runtime: &'a [String],
    code: CodeBody,
    code_size: u64,
    code_checksum: String,
    create_time: String,
    acl: u32,
    arn: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CodeBody {
    repository_type: &'static str,
    location: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LayerList<'a> {
    layers: Vec<LayerBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VersionList<'a> {
    layers: Vec<LayerBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_version: Option<u32>,
}

/// What a publish call says.
struct LayerFields {
    description: String,
    compatible_runtimes: Vec<String>,
    package: Package,
}

impl<'a> LayerBody<'a> {
    fn new(call: &Call<'_>, layer: &'a PublishedLayer) -> Self {
        let version = &layer.version;
        let location = code::url(call, &version.code.digest);
        Self {
            layer_name: layer.name.as_str(),
            version: version.version,
            description: &version.description,
            compatible_runtime: &version.compatible_runtimes,
            code: CodeBody { repository_type: "bide", location },
            code_size: version.code.size_bytes,
            code_checksum: version.code.crc64.to_string(),
            create_time: version.created_at.to_rfc3339(),
            acl: ACL_PRIVATE,
            arn: &layer.arn,
        }
    }
}

pub(super) async fn publish(mut call: Call<'_>, layer: &str) -> Answer {
    let name = LayerName::new(layer)?;
    let body = call.read_body(MANAGEMENT_BODY_BYTES_MAX).await?;
    // Checking a package is long work.
    let reading = tokio::task::spawn_blocking(move || read(&mut Fields::parse(&body.bytes)?));
    let LayerFields { description, compatible_runtimes, package } =
        reading.await.unwrap_or_else(|_| Err(ApiError::internal()))?; // the panic hook has said why
    let engine = &call.state.engine;
    engine.put_package(package.code.digest.clone(), package.zip).await?;
    let account = call.account().clone();
    let (code, unpacked_bytes) = (package.code, package.unpacked_bytes);
    let new = NewLayerVersion { account, name, description, compatible_runtimes, code, unpacked_bytes };
    let published = engine.publish_layer(new).await?;
    Ok(reply::json(&LayerBody::new(&call, &published)))
}

pub(super) async fn get(call: Call<'_>, layer: &str, version: &str) -> Answer {
    let published = call.state.engine.layer_version(call.account(), layer, number(layer, version)?)?;
    Ok(reply::json(&LayerBody::new(&call, &published)))
}

pub(super) async fn get_by_arn(call: Call<'_>, arn: &str) -> Answer {
    let named = bide_engine::arn::parse_layer(arn).map_err(|error| ApiError::invalid(error.to_string()))?;
    if named.account.is_some_and(|account| account != *call.account()) {
        return Err(ApiError::new(ErrorCode::AccessDenied, format!("layer '{arn}' is of another account")));
    }
    let published = call.state.engine.layer_version(call.account(), named.layer.as_str(), named.version)?;
    Ok(reply::json(&LayerBody::new(&call, &published)))
}

pub(super) async fn delete(call: Call<'_>, layer: &str, version: &str) -> Answer {
    call.state.engine.delete_layer_version(call.account(), layer, number(layer, version)?).await?;
    Ok(reply::no_content())
}

pub(super) async fn list(call: Call<'_>) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let (layers, next_token) = call.state.engine.layers(call.account(), &listing(&query)?);
    let layers = layers.iter().map(|layer| LayerBody::new(&call, layer)).collect();
    Ok(reply::json(&LayerList { layers, next_token }))
}

pub(super) async fn list_versions(call: Call<'_>, layer: &str) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let start = query.number("startVersion", 0..=u32::MAX)?.unwrap_or(0);
    let limit = query.limit(LIST_PAGE_DEFAULT)?;
    let (versions, next_version) = call.state.engine.layer_versions(call.account(), layer, start, limit)?;
    let layers = versions.iter().map(|layer| LayerBody::new(&call, layer)).collect();
    Ok(reply::json(&VersionList { layers, next_version }))
}

fn number(layer: &str, version: &str) -> Result<u32, ApiError> {
    version.parse().map_err(|_| {
        ApiError::invalid(format!(
            "version '{version}' of layer '{layer}' is invalid: it must be a whole number"
        ))
    })
}

fn read(fields: &mut Fields) -> Result<LayerFields, ApiError> {
    let compatible_runtimes = fields.texts("compatibleRuntime")?.unwrap_or_default();
    let long = |name: &String| name.chars().count() > RUNTIME_CHARS_MAX;
    if compatible_runtimes.len() > RUNTIMES_MAX || compatible_runtimes.iter().any(long) {
        return Err(ApiError::invalid(format!(
            "field 'compatibleRuntime' may have {RUNTIMES_MAX} names of {RUNTIME_CHARS_MAX} characters"
        )));
    }
    Ok(LayerFields {
        description: fields.text_up_to("description", DESCRIPTION_CHARS_MAX)?.unwrap_or_default(),
        compatible_runtimes,
        package: code_package::read(fields)?.ok_or_else(|| Fields::required("code"))?,
    })
}
