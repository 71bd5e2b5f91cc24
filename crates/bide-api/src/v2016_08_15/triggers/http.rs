//! `triggerConfig` of the type `http`, and where such a trigger can be called.

use std::collections::BTreeSet;

use bide_engine::subdomain;
use bide_types::Qualifier;
use bide_types::resource::{Function, HttpAuth, HttpFormat, HttpMethod, HttpTrigger, TriggerConfig};
use serde::Serialize;

use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;

/// `triggerConfig` as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigBody<'a> {
    auth_type: &'static str,
    methods: &'a BTreeSet<HttpMethod>,
    #[serde(rename = "disableURLInternet")]
    disable_url_internet: bool,
    /// bide's own: see docs/compatibility.md.
    payload_format: &'static str,
}

/// Where an HTTP trigger can be called. bide has one network, so both addresses are the same.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Addresses {
    #[serde(skip_serializing_if = "Option::is_none")]
    domain_name: Option<String>,
    url_internet: String,
    url_intranet: String,
}

impl<'a> ConfigBody<'a> {
    pub(super) fn new(config: &'a HttpTrigger) -> Self {
        Self {
            auth_type: match config.auth {
                HttpAuth::Anonymous => "anonymous",
                HttpAuth::Function => "function",
            },
            methods: &config.methods,
            disable_url_internet: config.own_addresses_disabled,
            payload_format: match config.format {
                HttpFormat::Handler => "handler",
                HttpFormat::Event => "event",
            },
        }
    }
}

/// What the fields do not say stays as in `current`.
pub(super) fn read_config(
    fields: &mut Fields,
    current: Option<&TriggerConfig>,
) -> Result<TriggerConfig, ApiError> {
    let current = match current {
        Some(TriggerConfig::Http(config)) => Some(config),
        Some(TriggerConfig::Timer(_) | TriggerConfig::EventBridge(_) | TriggerConfig::Oss(_)) | None => None,
    };
    Ok(TriggerConfig::Http(read(fields, current)?))
}

fn read(fields: &mut Fields, current: Option<&HttpTrigger>) -> Result<HttpTrigger, ApiError> {
    if fields.text("authConfig")?.is_some_and(|config| !config.is_empty()) {
        return Err(ApiError::invalid(
            "field 'triggerConfig.authConfig' is for authType jwt, which is not supported",
        ));
    }
    let auth = match fields.text("authType")?.as_deref() {
        None => current.map_or(HttpAuth::Function, |current| current.auth),
        Some("anonymous") => HttpAuth::Anonymous,
        Some("function") => HttpAuth::Function,
        Some("jwt") => {
            return Err(ApiError::invalid(
                "authType jwt is not supported: use anonymous and check the token in the code",
            ));
        }
        Some(_) => {
            return Err(ApiError::invalid("field 'triggerConfig.authType' must be anonymous or function"));
        }
    };
    let methods = match read_methods(fields, "methods")? {
        Some(methods) if methods.is_empty() => {
            return Err(ApiError::invalid("field 'triggerConfig.methods' is empty"));
        }
        Some(methods) => methods,
        None => current.map(|current| current.methods.clone()).ok_or_else(|| fields.missing("methods"))?,
    };
    let format = match fields.text("payloadFormat")?.as_deref() {
        None => current.map_or(HttpFormat::Handler, |current| current.format),
        Some("handler") => HttpFormat::Handler,
        Some("event") => HttpFormat::Event,
        Some(_) => {
            return Err(ApiError::invalid("field 'triggerConfig.payloadFormat' must be handler or event"));
        }
    };
    let disabled = fields.flag("disableURLInternet")?;
    let disabled = disabled.unwrap_or(current.is_some_and(|current| current.own_addresses_disabled));
    Ok(HttpTrigger { auth, methods, own_addresses_disabled: disabled, format })
}

/// A list of methods.
pub(in crate::v2016_08_15) fn read_methods(
    fields: &mut Fields,
    name: &str,
) -> Result<Option<BTreeSet<HttpMethod>>, ApiError> {
    let Some(methods) = fields.texts(name)? else { return Ok(None) };
    let known = HttpMethod::ALL.map(HttpMethod::as_str).join(", ");
    let read = methods.iter().map(|method| {
        let wrong = || ApiError::invalid(format!("method '{method}' is not supported: use {known}"));
        HttpMethod::parse(method).ok_or_else(wrong)
    });
    read.collect::<Result<_, _>>().map(Some)
}

pub(super) fn addresses(
    call: &Call<'_>,
    function: &Function,
    qualifier: &Qualifier,
    config: &HttpTrigger,
) -> Addresses {
    let base = call.base_url();
    let http_domain = call.state.domains.http_domain.as_ref();
    let domain_name = http_domain.map(|domain| format!("{}.{domain}", subdomain(function, qualifier)));
    let url = match &domain_name {
        _ if config.own_addresses_disabled => String::new(),
        Some(name) => format!("{}/", with_host(&base, name)),
        None => {
            let at = if qualifier.is_latest() { String::new() } else { format!(".{qualifier}") };
            format!("{base}/2016-08-15/proxy/{}{at}/{}/", function.service, function.name)
        }
    };
    Addresses { domain_name, url_internet: url.clone(), url_intranet: url }
}

/// `base` (a scheme and an authority) with another host name and the same port.
fn with_host(base: &str, name: &str) -> String {
    let (scheme, authority) = base.split_once("://").unwrap_or(("http", base));
    let port =
        authority.parse::<axum::http::uri::Authority>().ok().and_then(|authority| authority.port_u16());
    port.map_or_else(|| format!("{scheme}://{name}"), |port| format!("{scheme}://{name}:{port}"))
}
