//! `bide invoke`: one invocation, synchronous or asynchronous.

use std::path::PathBuf;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bide_client::Answer;
use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::{FunctionPath, block_on};
use crate::client::Connection;
use crate::output::{self, Format, RunFailed};

/// Invoke a function
#[derive(clap::Args)]
pub(crate) struct Args {
    /// SERVICE/FUNCTION
    function: FunctionPath,
    /// The event, as text
    #[arg(long, conflicts_with = "payload_file")]
    payload: Option<String>,
    /// The event, from a file; `-` is standard input
    #[arg(long)]
    payload_file: Option<PathBuf>,
    /// Have it stored and run later, instead of waiting for the result
    #[arg(long = "async")]
    asynchronous: bool,
    /// Seconds before it runs, 0 to 3600
    #[arg(long, requires = "asynchronous")]
    delay: Option<u32>,
    /// Task id, for task mode
    #[arg(long, requires = "asynchronous")]
    task_id: Option<String>,
    /// Task mode for this call
    #[arg(long, requires = "asynchronous")]
    stateful: bool,
    /// Print the end of the function's log to standard error
    #[arg(long, conflicts_with = "asynchronous")]
    tail: bool,
    #[arg(long, value_enum, default_value_t)]
    output: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    block_on(async {
        let client = args.connection.open()?;
        let path = format!("{}/invocations", args.function.path());
        let answer = client.call(Method::POST, &path, &headers(&args), payload(&args)?).await?;
        if args.asynchronous { show_accepted(&args, &answer) } else { show_result(&args, &answer) }
    })
}

fn headers(args: &Args) -> Vec<(&'static str, String)> {
    let mut headers = vec![("content-type", "application/octet-stream".to_owned())];
    if args.asynchronous {
        headers.push(("x-fc-invocation-type", "Async".to_owned()));
    }
    if args.tail {
        headers.push(("x-fc-log-type", "Tail".to_owned()));
    }
    if let Some(delay) = args.delay {
        headers.push(("x-fc-async-delay", delay.to_string()));
    }
    if args.stateful {
        headers.push(("x-fc-stateful-async-invocation-enable", "true".to_owned()));
    }
    if let Some(id) = &args.task_id {
        headers.push(("x-fc-stateful-async-invocation-id", id.clone()));
    }
    headers
}

fn payload(args: &Args) -> anyhow::Result<Bytes> {
    use std::io::Read as _;
    match (&args.payload, &args.payload_file) {
        (Some(text), _) => Ok(Bytes::from(text.clone())),
        (None, None) => Ok(Bytes::new()),
        (None, Some(path)) if path.as_os_str() == "-" => {
            let mut bytes = Vec::new();
            std::io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
            Ok(bytes.into())
        }
        (None, Some(path)) => {
            Ok(std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?.into())
        }
    }
}

fn show_accepted(args: &Args, answer: &Answer) -> anyhow::Result<()> {
    let request = answer.header("x-fc-request-id");
    let task = answer.header("x-fc-stateful-async-invocation-id");
    match args.output {
        Format::Json => {
            output::json(&json!({ "requestId": request, "taskId": (!task.is_empty()).then_some(task) }))
        }
        Format::Text if task.is_empty() => output::line(&format!("accepted, request {request}")),
        Format::Text => output::line(&format!("accepted, task {task}")),
    }
    Ok(())
}

fn show_result(args: &Args, answer: &Answer) -> anyhow::Result<()> {
    let error_type = answer.header("x-fc-error-type");
    let log = STANDARD.decode(answer.header("x-fc-log-result")).unwrap_or_default();
    match args.output {
        Format::Json => output::json(&json!({
            "requestId": answer.header("x-fc-request-id"),
            "errorType": (!error_type.is_empty()).then_some(error_type),
            "durationMs": answer.header("x-fc-invocation-duration"),
            "instanceId": answer.header("x-fc-instance-id"),
            "log": args.tail.then(|| String::from_utf8_lossy(&log)),
            "result": String::from_utf8_lossy(&answer.body),
        })),
        Format::Text => {
            if args.tail {
                output::note(&String::from_utf8_lossy(&log));
            }
            output::bytes(&answer.body);
        }
    }
    if error_type.is_empty() {
        Ok(())
    } else {
        Err(RunFailed(format!("the function failed: {error_type}")).into())
    }
}
