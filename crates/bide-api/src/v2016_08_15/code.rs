//! The code of a function: a link to download it, and its checksum.

use serde::Serialize;

use super::Answer;
use crate::edge::Call;
use crate::path::service_and_qualifier;
use crate::{code_url, reply};

#[derive(Serialize)]
struct CodeBody {
    url: String,
    checksum: String,
}

pub(super) async fn get(call: Call<'_>, segment: &str, function: &str) -> Answer {
    let (service, qualifier) = service_and_qualifier(segment)?;
    let target = call.state.engine.resolve(call.account(), service, function, &qualifier)?;
    let code = &target.function().code;
    Ok(reply::json(&CodeBody { url: url(&call, &code.digest), checksum: code.crc64.to_string() }))
}

/// A link for the caller to the package `digest`.
pub(super) fn url(call: &Call<'_>, digest: &str) -> String {
    let base = call.base_url();
    let path = code_url::path(call.caller, digest, call.state.clock.now());
    format!("{base}{path}")
}
