//! `bide functions`: list, show and delete functions.

use bide_client::{Client, escape};
use http::Method;
use serde_json::Value;

use super::{FunctionPath, block_on, functions_path};
use crate::client::{API, Connection};
use crate::output::{self, Format};

/// List, show and delete functions
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    connection: Connection,
    #[arg(long, value_enum, default_value_t, global = true)]
    output: Format,
}

#[derive(clap::Subcommand)]
enum Command {
    /// List the functions of a service, or of all services
    List { service: Option<String> },
    /// Show a function
    Get { function: FunctionPath },
    /// Delete a function
    Delete { function: FunctionPath },
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    block_on(async {
        let client = args.connection.open()?;
        match args.command {
            Command::List { service } => list(&client, service, args.output).await,
            Command::Get { function } => {
                output::json(&client.json(Method::GET, &function.path(), None).await?);
                Ok(())
            }
            Command::Delete { function } => {
                client.json(Method::DELETE, &function.path(), None).await?;
                Ok(())
            }
        }
    })
}

async fn list(client: &Client, service: Option<String>, format: Format) -> anyhow::Result<()> {
    let services = match service {
        Some(service) => vec![service],
        None => names(&all(client, &format!("{API}/services"), "services").await?, "serviceName"),
    };
    let mut functions = Vec::new();
    for service in services {
        for mut function in all(client, &functions_path(&service), "functions").await? {
            function["serviceName"] = Value::from(service.clone());
            functions.push(function);
        }
    }
    if format == Format::Json {
        output::json(&Value::from(functions));
        return Ok(());
    }
    let cell = |function: &Value, key: &str| match &function[key] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let columns =
        ["serviceName", "functionName", "runtime", "handler", "timeout", "memorySize", "lastModifiedTime"];
    let rows: Vec<Vec<String>> = functions
        .iter()
        .map(|function| columns.iter().map(|column| cell(function, column)).collect())
        .collect();
    output::table(&["SERVICE", "FUNCTION", "RUNTIME", "HANDLER", "TIMEOUT", "MEMORY", "CHANGED"], &rows);
    Ok(())
}

fn names(items: &[Value], key: &str) -> Vec<String> {
    items.iter().filter_map(|item| item[key].as_str()).map(str::to_owned).collect()
}

/// Every item of a list, page by page.
async fn all(client: &Client, path: &str, key: &str) -> anyhow::Result<Vec<Value>> {
    let mut items = Vec::new();
    let mut next = String::new();
    loop {
        let token = if next.is_empty() { String::new() } else { format!("&nextToken={}", escape(&next)) };
        let page = client.json(Method::GET, &format!("{path}?limit=100{token}"), None).await?;
        items.extend(page[key].as_array().cloned().unwrap_or_default());
        match page["nextToken"].as_str() {
            Some(token) if !token.is_empty() => next = token.to_owned(),
            _ => return Ok(items),
        }
    }
}
