//! `bide instances`: what runs, and what it holds.

use http::Method;
use serde_json::Value;

use super::block_on;
use crate::client::Connection;
use crate::output::{self, Format};

/// Show the instances of all functions: starting, idle, busy or draining, and the memory of each
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    block_on(async {
        let client = args.connection.open()?;
        let answer = client.json(Method::GET, "/bide/v1/instances", None).await?;
        let instances = answer["instances"].as_array().cloned().unwrap_or_default();
        match args.output {
            Format::Json => output::json(&Value::from(instances)),
            Format::Text => {
                let columns =
                    ["serviceName", "functionName", "qualifier", "instanceId", "state", "memoryMaxMb"];
                let headings = ["SERVICE", "FUNCTION", "QUALIFIER", "INSTANCE", "STATE", "MEMORY MB"];
                output::items(&headings, &columns, &instances);
            }
        }
        Ok(())
    })
}
