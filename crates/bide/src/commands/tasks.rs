//! `bide tasks`: list, show, watch and stop tasks, and what their attempts logged.

use std::time::Duration;

use bide_client::{Client, escape};
use bide_env::{Clock as _, SystemClock};
use bide_types::Timestamp;
use http::Method;
use serde_json::Value;

use super::{FunctionPath, block_on};
use crate::client::Connection;
use crate::output::{self, Format, RunFailed};

/// List, show, watch and stop tasks, and show their logs
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
    /// List the tasks of a function, newest first
    List {
        function: FunctionPath,
        /// Only tasks of this status
        #[arg(long)]
        status: Option<String>,
        /// Only tasks whose id begins so
        #[arg(long)]
        prefix: Option<String>,
        /// Most tasks to list
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// Show a task
    Get { function: FunctionPath, task: String },
    /// Follow a task through its phases to its end
    Watch { function: FunctionPath, task: String },
    /// Show what the attempts of a task logged
    Logs {
        function: FunctionPath,
        task: String,
        /// Only this attempt, counted from 1
        #[arg(long)]
        attempt: Option<u32>,
    },
    /// Stop a task
    Stop { function: FunctionPath, task: String },
}

/// Between two looks at a task that is watched.
const WATCH_PERIOD: Duration = Duration::from_millis(100);
const PAGE_MAX: usize = 100;

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    block_on(async {
        let client = args.connection.open()?;
        match args.command {
            Command::List { function, status, prefix, limit } => {
                let filters = [("status", status), ("invocationIdPrefix", prefix)];
                let tasks = list(&client, &function, &filters, limit).await?;
                show_list(args.output, tasks);
                Ok(())
            }
            Command::Get { function, task } => {
                let task = get(&client, &function, &task).await?;
                show_task(args.output, &task);
                Ok(())
            }
            Command::Watch { function, task } => {
                let ended = watch(&client, &function, &task, args.output).await?;
                let status = status(&ended);
                if status == "Succeeded" {
                    Ok(())
                } else {
                    Err(RunFailed(format!("the task ended {status}")).into())
                }
            }
            Command::Logs { function, task, attempt } => {
                let logs = logs(&client, &function, &task, attempt).await?;
                show_logs(args.output, &logs);
                Ok(())
            }
            Command::Stop { function, task } => {
                client.json(Method::PUT, &task_path(&function, &task), None).await?;
                Ok(())
            }
        }
    })
}

fn task_path(function: &FunctionPath, task: &str) -> String {
    format!("{}/stateful-async-invocations/{}", function.path(), escape(task))
}

pub(crate) async fn get(client: &Client, function: &FunctionPath, task: &str) -> anyhow::Result<Value> {
    Ok(client.json(Method::GET, &task_path(function, task), None).await?)
}

async fn logs(
    client: &Client,
    function: &FunctionPath,
    task: &str,
    attempt: Option<u32>,
) -> anyhow::Result<Value> {
    let query = attempt.map(|attempt| format!("?attempt={attempt}")).unwrap_or_default();
    let path = format!("{}/tasks/{}/logs{query}", function.bide_path(), escape(task));
    Ok(client.json(Method::GET, &path, None).await?)
}

/// Up to `limit` tasks that pass the filters, newest first.
pub(crate) async fn list(
    client: &Client,
    function: &FunctionPath,
    filters: &[(&str, Option<String>)],
    limit: usize,
) -> anyhow::Result<Vec<Value>> {
    let mut query = String::new();
    for (name, value) in filters {
        if let Some(value) = value {
            query.push_str(&format!("&{name}={}", escape(value)));
        }
    }
    let mut tasks = Vec::new();
    let mut token = String::new();
    while tasks.len() < limit {
        let page = (limit - tasks.len()).min(PAGE_MAX);
        let path = format!("{}/stateful-async-invocations?limit={page}{query}{token}", function.path());
        let mut answer = client.json(Method::GET, &path, None).await?;
        tasks.extend(answer["invocations"].as_array_mut().map(std::mem::take).unwrap_or_default());
        match answer["nextToken"].as_str() {
            Some(next) if !next.is_empty() => token = format!("&nextToken={}", escape(next)),
            _ => break,
        }
    }
    Ok(tasks)
}

pub(crate) fn status(task: &Value) -> &str {
    task["status"].as_str().unwrap_or_default()
}

pub(crate) fn is_final(status: &str) -> bool {
    bide_core::Status::parse(status).is_some_and(bide_core::Status::is_final)
}

/// Prints each phase of a task as it comes, until the task has ended; returns its record.
pub(crate) async fn watch(
    client: &Client,
    function: &FunctionPath,
    id: &str,
    format: Format,
) -> anyhow::Result<Value> {
    let clock = SystemClock::new();
    let mut shown = 0;
    loop {
        let task = get(client, function, id).await?;
        let events = task["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        for event in &events[shown.min(events.len())..] {
            show_event(format, &task, event);
        }
        shown = events.len();
        if is_final(status(&task)) {
            return Ok(task);
        }
        clock.sleep(WATCH_PERIOD).await;
    }
}

fn show_event(format: Format, task: &Value, event: &Value) {
    if format == Format::Json {
        output::line(&event.to_string());
        return;
    }
    let status = event["status"].as_str().unwrap_or_default();
    let at = event["timestamp"].as_u64().unwrap_or_default();
    let since = at.saturating_sub(task["startedTime"].as_u64().unwrap_or_default());
    let seconds = format!("+{}.{:03} s", since / 1000, since % 1000);
    let detail = event["eventDetail"].as_str().unwrap_or_default();
    let status = output::coloured(output::status_colour(status), &format!("{status:<10}"));
    output::line(format!("{seconds:>12}  {status}  {detail}").trim_end());
}

fn show_task(format: Format, task: &Value) {
    if format == Format::Json {
        output::json(task);
        return;
    }
    for key in [
        "invocationId",
        "status",
        "requestId",
        "qualifier",
        "instanceId",
        "durationMs",
        "alreadyRetriedTimes",
    ] {
        let text = task[key].as_str().map_or_else(|| task[key].to_string(), str::to_owned);
        output::line(&format!("{key:<20} {text}"));
    }
    for key in ["invocationErrorMessage", "destinationStatus", "invocationPayload", "returnPayload"] {
        if let Some(text) = task[key].as_str().filter(|text| !text.is_empty()) {
            output::line(&format!("{key:<20} {text}"));
        }
    }
    for event in task["events"].as_array().map(Vec::as_slice).unwrap_or_default() {
        show_event(format, task, event);
    }
}

/// Each log as it is, below a line that says whose it is.
fn show_logs(format: Format, logs: &Value) {
    if format == Format::Json {
        output::json(logs);
        return;
    }
    for log in logs["logs"].as_array().map(Vec::as_slice).unwrap_or_default() {
        let text = |key: &str| log[key].as_str().unwrap_or_default();
        let what = match text("state") {
            "Kept" => {
                let ended = Timestamp::from_millis(log["endTime"].as_u64().unwrap_or_default());
                format!("{}, ended {}", text("result"), ended.to_rfc3339())
            }
            "Running" => "runs".to_owned(),
            "Lost" => "lost with the server, and its log".to_owned(),
            _ => "no log was kept".to_owned(),
        };
        output::line(&format!("== attempt {} of {}: {what}", log["attempt"], logs["attempts"]));
        if let Some(dropped) = log["droppedBytes"].as_u64().filter(|dropped| *dropped > 0) {
            output::line(&format!("== {dropped} bytes before this were not kept"));
        }
        if !text("log").is_empty() {
            output::line(text("log").trim_end_matches('\n'));
        }
    }
}

fn show_list(format: Format, tasks: Vec<Value>) {
    if format == Format::Json {
        output::json(&Value::from(tasks));
        return;
    }
    let rows: Vec<Vec<String>> = tasks
        .iter()
        .map(|task| {
            let started = Timestamp::from_millis(task["startedTime"].as_u64().unwrap_or_default());
            vec![
                task["invocationId"].as_str().unwrap_or_default().to_owned(),
                status(task).to_owned(),
                started.to_rfc3339(),
                task["durationMs"].to_string(),
                task["alreadyRetriedTimes"].to_string(),
            ]
        })
        .collect();
    output::table(&["TASK", "STATUS", "STARTED", "MS", "RETRIES"], &rows);
}
