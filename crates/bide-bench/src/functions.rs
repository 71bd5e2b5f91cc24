//! The functions under test, and the node's own counts.

use std::io::{Cursor, Write as _};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bide_client::Client;
use http::Method;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

pub(crate) const SERVICE: &str = "bench";
pub(crate) const FUNCTION: &str = "noop";
/// Returns the time at which the handler was entered, in nanoseconds since 1970.
const SOURCE: &str = "import time\n\n\ndef handler(event, context):\n    return str(time.time_ns())\n";

/// Path of the function in the API.
pub(crate) fn path() -> String {
    format!("/2016-08-15/services/{SERVICE}/functions/{FUNCTION}")
}

/// Creates a Python function that does nothing but read the clock.
pub(crate) async fn deploy(client: &Client) -> anyhow::Result<()> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("index.py", SimpleFileOptions::default())?;
    zip.write_all(SOURCE.as_bytes())?;
    let code = STANDARD.encode(zip.finish()?.into_inner());
    create_service(client).await?;
    let function = json!({
        "functionName": FUNCTION,
        "runtime": "python3",
        "handler": "index.handler",
        "timeout": 60,
        "code": { "zipFile": code },
    });
    let functions = format!("/2016-08-15/services/{SERVICE}/functions");
    client.json(Method::POST, &functions, Some(&function)).await?;
    Ok(())
}

pub(crate) async fn create_service(client: &Client) -> anyhow::Result<()> {
    let service = json!({ "serviceName": SERVICE });
    client.json(Method::POST, "/2016-08-15/services", Some(&service)).await?;
    Ok(())
}

/// Instances that exist, those starting included; and how many of them are starting.
pub(crate) async fn instances(client: &Client) -> anyhow::Result<(u64, u64)> {
    let status = client.json(Method::GET, "/bide/v1/status", None).await?;
    let number =
        |key: &str| status["instances"][key].as_u64().with_context(|| format!("no {key} in {status}"));
    Ok((number("total")?, number("starting")?))
}

/// Standbys that are still to be started, or starting: see `GET /bide/v1/status`.
pub(crate) async fn missing_standbys(client: &Client) -> anyhow::Result<u64> {
    let status = client.json(Method::GET, "/bide/v1/status", None).await?;
    status["standbys"]["missing"].as_u64().with_context(|| format!("no standbys in {status}"))
}

/// What the node counts: see `GET /bide/v1/status`.
pub(crate) struct Counts {
    pub(crate) flushes: u64,
    pub(crate) groups: u64,
    pub(crate) operations: u64,
    /// Invocations of the function that succeeded.
    pub(crate) succeeded: u64,
    /// Invocations of the function that are not settled.
    pub(crate) open: u64,
}

pub(crate) async fn counts(client: &Client) -> anyhow::Result<Counts> {
    let status = client.json(Method::GET, "/bide/v1/status", None).await?;
    let number =
        |value: &Value, key: &str| value[key].as_u64().with_context(|| format!("no {key} in {status}"));
    let ledger = &status["functions"][0]["ledger"];
    let open = ["deferred", "queued", "running", "retrying"];
    Ok(Counts {
        flushes: number(&status["store"], "flushes")?,
        groups: number(&status["store"], "groups")?,
        operations: number(&status["store"], "operations")?,
        succeeded: number(ledger, "succeeded")?,
        open: open.iter().map(|bucket| number(ledger, bucket)).sum::<anyhow::Result<u64>>()?,
    })
}
