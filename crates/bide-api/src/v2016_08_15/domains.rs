//! Custom domains: create, get, update, delete, list.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::Response;
use bide_engine::Versioned;
use bide_types::resource::{CustomDomain, HttpMethod, Route, RoutePath};
use bide_types::{DomainName, ErrorCode, FunctionName, Qualifier, ServiceName, limits};
use serde::Serialize;

use super::triggers::read_methods;
use super::{Answer, SETTINGS_BODY_BYTES_MAX, listing};
use crate::edge::Call;
use crate::error::ApiError;
use crate::fields::Fields;
use crate::query::Query;
use crate::{http_function, reply};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DomainBody<'a> {
    domain_name: &'a str,
    account_id: &'a str,
    protocol: &'static str,
    route_config: RouteConfig<'a>,
    created_time: String,
    last_modified_time: String,
}

#[derive(Serialize)]
struct RouteConfig<'a> {
    routes: Vec<RouteBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RouteBody<'a> {
    path: &'a str,
    service_name: &'a str,
    function_name: &'a str,
    qualifier: &'a str,
    methods: &'a BTreeSet<HttpMethod>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DomainList<'a> {
    custom_domains: Vec<DomainBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl<'a> From<&'a CustomDomain> for DomainBody<'a> {
    fn from(domain: &'a CustomDomain) -> Self {
        let routes = domain.routes.iter().map(|route| RouteBody {
            path: route.path.as_str(),
            service_name: route.service.as_str(),
            function_name: route.function.as_str(),
            qualifier: route.qualifier.as_str(),
            methods: &route.methods,
        });
        Self {
            domain_name: domain.name.as_str(),
            account_id: domain.account.as_str(),
            protocol: "HTTP",
            route_config: RouteConfig { routes: routes.collect() },
            created_time: domain.created_at.to_rfc3339(),
            last_modified_time: domain.modified_at.to_rfc3339(),
        }
    }
}

pub(super) async fn create(mut call: Call<'_>) -> Answer {
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let mut fields = Fields::parse(&body.bytes)?;
    let name = fields.text("domainName")?.ok_or_else(|| Fields::required("domainName"))?;
    let name = DomainName::new(&name).map_err(|error| ApiError::invalid(error.to_string()))?;
    if let Some(reason) = http_function::is_reserved(call.state, call.head, &name) {
        return Err(ApiError::invalid(format!("domain name '{name}' cannot be a custom domain: {reason}")));
    }
    let now = call.state.clock.now();
    let account = call.account().clone();
    let mut domain = CustomDomain { account, name, routes: Vec::new(), created_at: now, modified_at: now };
    apply(&mut fields, &mut domain)?;
    let created = call.state.engine.create_domain(domain).await?;
    Ok(answer(&created))
}

pub(super) async fn get(call: Call<'_>, name: &str) -> Answer {
    Ok(answer(&find(&call, name)?))
}

pub(super) async fn update(mut call: Call<'_>, name: &str) -> Answer {
    let current = find(&call, name)?;
    reply::check_if_match(&call.head.headers, &DomainBody::from(&*current.value))?;
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let mut domain = current.value.as_ref().clone();
    apply(&mut Fields::parse(&body.bytes)?, &mut domain)?;
    let changed = call.state.engine.replace_domain(domain, Some(current.revision)).await?;
    Ok(answer(&changed))
}

pub(super) async fn delete(call: Call<'_>, name: &str) -> Answer {
    let current = find(&call, name)?;
    reply::check_if_match(&call.head.headers, &DomainBody::from(&*current.value))?;
    let name = current.value.name.as_str();
    call.state.engine.delete_domain(call.account(), name, Some(current.revision)).await?;
    Ok(reply::no_content())
}

pub(super) async fn list(call: Call<'_>) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let (domains, next_token) = call.state.engine.domains(call.account(), &listing(&query)?);
    let custom_domains = domains.iter().map(|domain| DomainBody::from(&*domain.value)).collect();
    Ok(reply::json(&DomainList { custom_domains, next_token }))
}

fn answer(domain: &Versioned<CustomDomain>) -> Response<Body> {
    reply::json_with_etag(&DomainBody::from(&*domain.value))
}

/// Host names are compared without regard to case.
fn find(call: &Call<'_>, name: &str) -> Result<Versioned<CustomDomain>, ApiError> {
    Ok(call.state.engine.domain(call.account(), &name.to_ascii_lowercase())?)
}

/// Changes what the caller says and leaves the rest. Routes are one thing: they are replaced as a whole.
fn apply(fields: &mut Fields, domain: &mut CustomDomain) -> Result<(), ApiError> {
    match fields.text("protocol")?.as_deref() {
        None | Some("" | "HTTP") => {}
        Some("HTTPS" | "HTTP,HTTPS") => {
            return Err(ApiError::invalid(
                "protocol HTTPS is not supported: end TLS in a proxy before this server, and use protocol HTTP",
            ));
        }
        Some(_) => return Err(ApiError::invalid("field 'protocol' must be HTTP")),
    }
    if let Some(certificate) = fields.object("certConfig")? {
        let texts = certificate.into_texts()?;
        if texts.values().any(|text| !text.is_empty()) {
            return Err(ApiError::invalid(
                "certConfig is not supported: end TLS in a proxy before this server",
            ));
        }
    }
    if let Some(mut config) = fields.object("routeConfig")?
        && let Some(routes) = config.objects("routes")?
    {
        domain.routes = read_routes(routes)?;
    }
    Ok(())
}

fn read_routes(routes: Vec<Fields>) -> Result<Vec<Route>, ApiError> {
    if routes.len() > limits::ROUTES_PER_DOMAIN_MAX {
        let message = format!("a custom domain has at most {} routes", limits::ROUTES_PER_DOMAIN_MAX);
        return Err(ApiError::new(ErrorCode::LimitExceededError, message));
    }
    let routes = routes.into_iter().map(read_route).collect::<Result<Vec<_>, _>>()?;
    let mut paths = BTreeSet::new();
    match routes.iter().find(|route| !paths.insert(route.path.as_str())) {
        Some(twice) => Err(ApiError::invalid(format!("route path '{}' is given twice", twice.path.as_str()))),
        None => Ok(routes),
    }
}

fn read_route(mut fields: Fields) -> Result<Route, ApiError> {
    let mut required = |name: &str| fields.text(name)?.ok_or_else(|| fields.missing(name));
    let (path, service, function) = (required("path")?, required("serviceName")?, required("functionName")?);
    let qualifier = fields.text("qualifier")?.filter(|qualifier| !qualifier.is_empty());
    if fields.object("rewriteConfig")?.is_some() {
        return Err(ApiError::invalid(
            "rewriteConfig is not supported: the function sees the path as requested",
        ));
    }
    Ok(Route {
        path: RoutePath::new(&path).map_err(|error| ApiError::invalid(error.to_string()))?,
        service: ServiceName::new(&service)?,
        function: FunctionName::new(&function)?,
        qualifier: qualifier
            .map_or_else(|| Ok(Qualifier::latest()), |qualifier| Qualifier::new(&qualifier))?,
        methods: read_methods(&mut fields, "methods")?.unwrap_or_default(),
    })
}
