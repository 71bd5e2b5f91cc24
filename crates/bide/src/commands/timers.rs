//! `bide timers`: what fires by itself, and when.

use http::Method;
use serde_json::Value;

use super::block_on;
use crate::client::Connection;
use crate::output::{self, Format};

/// Show the time triggers of all functions: schedule, last tick and next tick
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
        let answer = client.json(Method::GET, "/bide/v1/timers", None).await?;
        let timers = answer["timers"].as_array().cloned().unwrap_or_default();
        match args.output {
            Format::Json => output::json(&Value::from(timers)),
            Format::Text => table(&timers),
        }
        Ok(())
    })
}

fn table(timers: &[Value]) {
    let columns = [
        "serviceName",
        "functionName",
        "triggerName",
        "qualifier",
        "cronExpression",
        "enable",
        "lastTick",
        "nextTick",
    ];
    let cell = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".to_owned(),
        other => other.to_string(),
    };
    let rows: Vec<Vec<String>> =
        timers.iter().map(|timer| columns.iter().map(|column| cell(&timer[column])).collect()).collect();
    output::table(
        &["SERVICE", "FUNCTION", "TRIGGER", "QUALIFIER", "SCHEDULE", "ENABLED", "LAST TICK", "NEXT TICK"],
        &rows,
    );
}
