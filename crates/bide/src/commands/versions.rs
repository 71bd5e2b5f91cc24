//! `bide versions`: publish, list and delete versions of a service.

use bide_client::{Client, escape};
use http::Method;
use serde_json::{Value, json};

use super::{all, block_on};
use crate::client::{API, Connection};
use crate::output::{self, Format};

/// Publish, list and delete versions of a service: snapshots of it and of all its functions
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
    /// Publish the service as it is, under the next number
    Publish {
        service: String,
        #[arg(long, default_value = "")]
        description: String,
    },
    /// List the versions of a service, the newest first
    List { service: String },
    /// Delete a version that no alias names
    Delete {
        service: String,
        #[arg(value_name = "VERSION")]
        number: u32,
    },
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    block_on(async {
        let client = args.connection.open()?;
        match args.command {
            Command::Publish { service, description } => {
                publish(&client, &service, &description, args.output).await
            }
            Command::List { service } => list(&client, &service, args.output).await,
            Command::Delete { service, number } => {
                client.json(Method::DELETE, &format!("{}/{number}", path(&service)), None).await?;
                Ok(())
            }
        }
    })
}

fn path(service: &str) -> String {
    format!("{API}/services/{}/versions", escape(service))
}

async fn publish(client: &Client, service: &str, description: &str, format: Format) -> anyhow::Result<()> {
    let body = json!({ "description": description });
    let version = client.json(Method::POST, &path(service), Some(&body)).await?;
    match format {
        Format::Json => output::json(&version),
        Format::Text => output::line(&format!("published {service}.{}", output::cell(&version["versionId"]))),
    }
    Ok(())
}

async fn list(client: &Client, service: &str, format: Format) -> anyhow::Result<()> {
    let versions = all(client, &path(service), "versions").await?;
    match format {
        Format::Json => output::json(&Value::from(versions)),
        Format::Text => {
            let columns = ["versionId", "createdTime", "description"];
            output::items(&["VERSION", "PUBLISHED", "DESCRIPTION"], &columns, &versions);
        }
    }
    Ok(())
}
