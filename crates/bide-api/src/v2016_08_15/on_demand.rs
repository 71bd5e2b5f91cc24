//! On-demand configurations: how many instances there may be beside those kept ready (fc-api 4.1).

use bide_engine::Target;
use bide_types::limits::CONFIGURED_INSTANCES_MAX;
use serde::Serialize;

use super::{Answer, SETTINGS_BODY_BYTES_MAX, listing, page, target};
use crate::edge::Call;
use crate::fields::Fields;
use crate::query::Query;
use crate::reply;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OnDemandBody {
    resource: String,
    maximum_instance_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OnDemandList {
    configs: Vec<OnDemandBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

impl OnDemandBody {
    fn new(target: &Target, maximum_instance_count: u32) -> Self {
        let function = target.function();
        let resource =
            format!("services/{}.{}/functions/{}", function.service, target.qualifier, function.name);
        Self { resource, maximum_instance_count }
    }
}

pub(super) async fn put(mut call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = target(&call, segment, function)?;
    if let Ok(current) = call.state.engine.on_demand_config(&target) {
        reply::check_if_match(&call.head.headers, &OnDemandBody::new(&target, current))?;
    }
    let body = call.read_body(SETTINGS_BODY_BYTES_MAX).await?;
    let max = Fields::parse(&body.bytes)?.number("maximumInstanceCount", 0..=CONFIGURED_INSTANCES_MAX)?;
    let max = max.ok_or_else(|| Fields::required("maximumInstanceCount"))?;
    let max = call.state.engine.put_on_demand_config(&target, max).await?;
    Ok(reply::json_with_etag(&OnDemandBody::new(&target, max)))
}

pub(super) async fn get(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = target(&call, segment, function)?;
    let max = call.state.engine.on_demand_config(&target)?;
    Ok(reply::json_with_etag(&OnDemandBody::new(&target, max)))
}

pub(super) async fn delete(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let target = target(&call, segment, function)?;
    let current = call.state.engine.on_demand_config(&target)?;
    reply::check_if_match(&call.head.headers, &OnDemandBody::new(&target, current))?;
    call.state.engine.delete_on_demand_config(&target).await?;
    Ok(reply::no_content())
}

pub(super) async fn list(call: Call<'_>) -> Answer {
    let query = Query::parse(call.head.uri.query())?;
    let listing = listing(&query)?;
    let found = call.state.engine.on_demand_configs(call.account());
    let mut found: Vec<_> = found.iter().map(|(target, max)| OnDemandBody::new(target, *max)).collect();
    found.retain(|body| listing.prefix.as_ref().is_none_or(|prefix| body.resource.starts_with(prefix)));
    found.sort_unstable_by(|one, other| one.resource.cmp(&other.resource));
    let named = found.into_iter().map(|body| (body.resource.clone(), body));
    let (configs, next_token) = page(named, listing.start.as_deref(), listing.limit);
    Ok(reply::json(&OnDemandList { configs, next_token }))
}
