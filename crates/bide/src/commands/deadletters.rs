//! `bide deadletters`: destination records that were given up.

use bide_client::{Client, escape};
use bide_types::Timestamp;
use http::Method;
use serde_json::Value;

use super::block_on;
use crate::client::Connection;
use crate::output::{self, Format};

/// List, show, deliver again and drop destination records that were given up
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
    /// List them, the longest given up first
    List {
        /// Most to list
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show one with its record
    Show { id: String },
    /// Deliver them again
    Redrive(Which),
    /// Drop them for good
    Purge(Which),
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// As listed
    id: Option<String>,
    /// All that there are
    #[arg(long)]
    all: bool,
}

const PATH: &str = "/bide/v1/deadletters";
const PAGE_MAX: usize = 100;

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    block_on(async {
        let client = args.connection.open()?;
        match args.command {
            Command::List { limit } => show_list(args.output, list(&client, limit).await?),
            Command::Show { id } => {
                let letter = client.json(Method::GET, &path_of(&id), None).await?;
                output::json(&letter);
            }
            Command::Redrive(Which { id: Some(id), .. }) => {
                client.json(Method::POST, &format!("{}/redrive", path_of(&id)), None).await?;
            }
            Command::Purge(Which { id: Some(id), .. }) => {
                client.json(Method::DELETE, &path_of(&id), None).await?;
            }
            Command::Redrive(Which { id: None, .. }) => {
                let answer = client.json(Method::POST, &format!("{PATH}/redrive"), None).await?;
                show_changed(args.output, &answer, "to be delivered again");
            }
            Command::Purge(Which { id: None, .. }) => {
                let answer = client.json(Method::DELETE, PATH, None).await?;
                show_changed(args.output, &answer, "dropped");
            }
        }
        Ok(())
    })
}

fn path_of(id: &str) -> String {
    format!("{PATH}/{}", escape(id))
}

async fn list(client: &Client, limit: usize) -> anyhow::Result<Vec<Value>> {
    let (mut letters, mut token) = (Vec::new(), String::new());
    while letters.len() < limit {
        let page = (limit - letters.len()).min(PAGE_MAX);
        let mut answer = client.json(Method::GET, &format!("{PATH}?limit={page}{token}"), None).await?;
        letters.extend(answer["deadLetters"].as_array_mut().map(std::mem::take).unwrap_or_default());
        match answer["nextToken"].as_str() {
            Some(next) => token = format!("&nextToken={}", escape(next)),
            None => break,
        }
    }
    Ok(letters)
}

fn show_changed(format: Format, answer: &Value, what: &str) {
    match format {
        Format::Json => output::json(answer),
        Format::Text => output::line(&format!("{} {what}", answer["changed"])),
    }
}

fn show_list(format: Format, letters: Vec<Value>) {
    if format == Format::Json {
        return output::json(&Value::from(letters));
    }
    let text = |letter: &Value, key: &str| letter[key].as_str().unwrap_or_default().to_owned();
    let rows: Vec<Vec<String>> = letters
        .iter()
        .map(|letter| {
            vec![
                text(letter, "id"),
                Timestamp::from_millis(letter["since"].as_u64().unwrap_or_default()).to_rfc3339(),
                letter["attempts"].to_string(),
                text(letter, "destination"),
                text(letter, "reason"),
            ]
        })
        .collect();
    output::table(&["ID", "SINCE", "ATTEMPTS", "DESTINATION", "REASON"], &rows);
}
