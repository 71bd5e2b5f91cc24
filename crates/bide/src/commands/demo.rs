//! `bide demo`: the main job, seen from start to end.
//!
//! Starts a server on an embedded store, deploys two bundled Python functions, submits a task that is deferred by two
//! seconds and whose first attempt fails, and shows each phase until the destination has the record. Everything goes
//! through the public API.

use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bide_client::Client;
use bide_env::{Clock as _, SystemClock};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;

use super::{FunctionPath, deploy, tasks};
use crate::logging;
use crate::node::Node;
use crate::output::{self, Colour, Format};
use crate::settings::{Flags, SandboxMode, Settings};

/// Show the main job: a deferred task, its retry, and its result at a destination
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Go on serving afterwards
    #[arg(long)]
    keep: bool,
    /// Keep the data here instead of in a directory that is removed afterwards
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

const DELAY_SECONDS: u32 = 2;
/// How long the destination may take to have its record.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_PERIOD: Duration = Duration::from_millis(50);

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    logging::start(logging::LogFormat::Text, "warn")?;
    let temporary = tempfile::Builder::new().prefix("bide-demo-").tempdir()?;
    let settings = Settings::resolve(Flags {
        listen: Some(args.listen.clone()),
        data_dir: Some(args.data_dir.clone().unwrap_or_else(|| temporary.path().join("data"))),
        sandbox: Some(SandboxMode::BestEffort),
        ..Flags::default()
    })?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let node = Node::start(settings).await?;
        let endpoint = format!("http://{}", node.address());
        say(args, &format!("server at {endpoint}, embedded store in {}", node.data_dir().display()));
        let shown = show(args, &Client::new(&endpoint, node.credential().clone())?).await;
        if shown.is_ok() && args.keep {
            say(args, &format!("serving on {endpoint} until interrupted"));
            super::serve::interrupted().await?;
        }
        node.stop().await;
        shown
    })
}

async fn show(args: &Args, client: &Client) -> anyhow::Result<()> {
    let (work, destination): (FunctionPath, FunctionPath) = (path("print-order"), path("notify"));
    deploy_bundled(client, &work, include_str!("../../demo/flaky.py")).await?;
    deploy_bundled(client, &destination, include_str!("../../demo/notify.py")).await?;
    let target = format!("acs:fc::{}:services/demo.LATEST/functions/notify", client.account());
    configure(client, &work, json!({ "destinationConfig": { "onSuccess": { "destination": target } } }))
        .await?;
    configure(client, &destination, json!({})).await?;
    say(
        args,
        "deployed demo/print-order (its first attempt fails) and demo/notify (its success destination)",
    );

    let headers = [
        ("x-fc-invocation-type", "Async".to_owned()),
        ("x-fc-async-delay", DELAY_SECONDS.to_string()),
        ("x-fc-stateful-async-invocation-id", "order-42".to_owned()),
    ];
    let invocations = format!("{}/invocations", work.path());
    client.call(Method::POST, &invocations, &headers, Bytes::from_static(b"{\"order\": 42}")).await?;
    say(args, &format!("202: task order-42 is on disk, to run in {DELAY_SECONDS} s"));

    let task = tasks::watch(client, &work, "order-42", args.output).await?;
    anyhow::ensure!(tasks::status(&task) == "Succeeded", "the task ended {}", tasks::status(&task));
    let record = delivered(client, &destination).await?;
    say(args, "demo/notify has the record:");
    match args.output {
        Format::Json => output::line(&record.to_string()),
        Format::Text => output::json(&record),
    }
    Ok(())
}

fn path(function: &str) -> FunctionPath {
    format!("demo/{function}").parse().expect("a service and a function")
}

fn say(args: &Args, text: &str) {
    match args.output {
        Format::Json => output::note(text),
        Format::Text => output::line(&format!("{} {text}", output::coloured(Colour::Green, "▸"))),
    }
}

async fn deploy_bundled(client: &Client, function: &FunctionPath, source: &str) -> anyhow::Result<()> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("index.py", SimpleFileOptions::default())?;
    zip.write_all(source.as_bytes())?;
    let code = STANDARD.encode(zip.finish()?.into_inner());
    let fields = json!({ "runtime": "python3", "handler": "index.handler", "timeout": 10, "code": { "zipFile": code } });
    deploy::put_function(client, function, &fields).await.map(|_| ())
}

/// Puts task mode on, with what else `config` says.
async fn configure(client: &Client, function: &FunctionPath, mut config: Value) -> anyhow::Result<()> {
    config["statefulInvocation"] = true.into();
    let path = format!("{}/async-invoke-config", function.path());
    client.json(Method::PUT, &path, Some(&config)).await?;
    Ok(())
}

/// Waits until the destination function has run on the record, and returns the record.
async fn delivered(client: &Client, destination: &FunctionPath) -> anyhow::Result<Value> {
    let clock = SystemClock::new();
    let deadline = clock.now().plus(DELIVERY_TIMEOUT);
    loop {
        let filters = [("status", Some("Succeeded".to_owned())), ("includePayload", Some("true".to_owned()))];
        if let Some(task) = tasks::list(client, destination, &filters, 1).await?.first() {
            let record = task["invocationPayload"].as_str().unwrap_or_default();
            return serde_json::from_str(record).context("the destination got something that is no record");
        }
        anyhow::ensure!(clock.now() < deadline, "the destination has no record after {DELIVERY_TIMEOUT:?}");
        clock.sleep(POLL_PERIOD).await;
    }
}
