//! `bide functions`: list, show and delete functions.

use bide_client::Client;
use http::Method;
use serde_json::Value;

use super::{FunctionPath, all, block_on, functions_path};
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
    let columns =
        ["serviceName", "functionName", "runtime", "handler", "timeout", "memorySize", "lastModifiedTime"];
    let headings = ["SERVICE", "FUNCTION", "RUNTIME", "HANDLER", "TIMEOUT", "MEMORY", "CHANGED"];
    output::items(&headings, &columns, &functions);
    Ok(())
}

fn names(items: &[Value], key: &str) -> Vec<String> {
    items.iter().filter_map(|item| item[key].as_str()).map(str::to_owned).collect()
}
