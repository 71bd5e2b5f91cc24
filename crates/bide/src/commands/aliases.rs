//! `bide aliases`: list, show, set and delete aliases of a service's versions.

use bide_client::{Client, ClientError, escape};
use http::Method;
use serde_json::{Map, Value, json};

use super::{all, block_on};
use crate::client::{API, Connection};
use crate::output::{self, Format};

/// List, show, set and delete names for versions of a service
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
    /// List the aliases of a service
    List { service: String },
    /// Show an alias
    Get { service: String, alias: String },
    /// Let an alias name a version, and make it if there is none
    Set {
        service: String,
        alias: String,
        #[arg(value_name = "VERSION")]
        number: u32,
        /// A second version and its share of the calls, e.g. 7=0.1; without it all calls go to VERSION
        #[arg(long, value_name = "VERSION=SHARE", value_parser = share)]
        additional: Option<(u32, f64)>,
        #[arg(long)]
        description: Option<String>,
    },
    /// Delete an alias; what waits for it will not run
    Delete { service: String, alias: String },
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    block_on(async {
        let client = args.connection.open()?;
        match args.command {
            Command::List { service } => list(&client, &service, args.output).await,
            Command::Get { service, alias } => {
                output::json(&client.json(Method::GET, &path(&service, &alias), None).await?);
                Ok(())
            }
            Command::Set { service, alias, number, additional, description } => {
                let weights: Map<String, Value> =
                    additional.iter().map(|(version, share)| (version.to_string(), json!(share))).collect();
                let body = json!({
                    "versionId": number.to_string(), "additionalVersionWeight": weights,
                    "description": description,
                });
                let set = set(&client, &service, &alias, body).await?;
                match args.output {
                    Format::Json => output::json(&set),
                    Format::Text => output::line(&format!("{service}.{alias} names version {number}")),
                }
                Ok(())
            }
            Command::Delete { service, alias } => {
                client.json(Method::DELETE, &path(&service, &alias), None).await?;
                Ok(())
            }
        }
    })
}

fn share(text: &str) -> Result<(u32, f64), String> {
    let read = || {
        let (version, share) = text.split_once('=')?;
        Some((version.parse().ok()?, share.parse().ok()?))
    };
    read().ok_or_else(|| format!("'{text}' is not of the form VERSION=SHARE"))
}

fn aliases_path(service: &str) -> String {
    format!("{API}/services/{}/aliases", escape(service))
}

fn path(service: &str, alias: &str) -> String {
    format!("{}/{}", aliases_path(service), escape(alias))
}

async fn set(client: &Client, service: &str, alias: &str, mut body: Value) -> Result<Value, ClientError> {
    match client.json(Method::PUT, &path(service, alias), Some(&body)).await {
        Err(error) if error.is_refusal("AliasNotFound") => {
            body["aliasName"] = Value::from(alias);
            client.json(Method::POST, &aliases_path(service), Some(&body)).await
        }
        answer => answer,
    }
}

async fn list(client: &Client, service: &str, format: Format) -> anyhow::Result<()> {
    let aliases = all(client, &aliases_path(service), "aliases").await?;
    match format {
        Format::Json => output::json(&Value::from(aliases)),
        Format::Text => {
            let columns = ["aliasName", "versionId", "additionalVersionWeight", "description"];
            output::items(&["ALIAS", "VERSION", "ADDITIONAL", "DESCRIPTION"], &columns, &aliases);
        }
    }
    Ok(())
}
