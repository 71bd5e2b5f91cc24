//! `many`: hundreds of instances at once.
//!
//! Each call is held until all instances exist. Printed: how long that took, memory per instance (its share as `/proc`
//! sees it, and what the control group is charged), and how long it takes to end them all. What is there afterwards that
//! was not there before fails the benchmark: processes, mounts, control groups, files; and once more after the server
//! has ended.

use std::time::Duration;

use bide_client::Client;
use bide_env::{Clock as _, SystemClock};
use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::figures::{Output, machine, print, progress, table};
use crate::functions::{create_service, instances};
use crate::leftovers::{Belongings, Seen, expect_like, expect_nothing};
use crate::node::Node;
use crate::processes::{Process, charged_bytes, descendants, proportional_kib};
use crate::start::renew;
use crate::subject::{Options, Runtime, Subjects};

const POLL_PERIOD: Duration = Duration::from_millis(20);
const KIB_PER_MIB: f64 = 1024.0;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// Instances
    #[arg(long, default_value_t = 500)]
    count: usize,
    /// Seconds that the calls are held, by when all instances must have started; by default what starting one after the
    /// other would take, and 10 s
    #[arg(long)]
    hold_seconds: Option<u64>,
}

/// Beside the starts themselves.
const HOLD_MIN: Duration = Duration::from_secs(10);

/// What one runtime came to.
struct Crowd {
    runtime: Runtime,
    start: Duration,
    end: Duration,
    grown: Used,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let runtimes = args.options.runtimes();
    let subjects = Subjects::prepare(&runtimes)?;
    let count = args.count.to_string();
    let arguments = ["--instances-per-account", &count, "--instances-per-function", &count];
    let mut crowds = Vec::new();
    for runtime in runtimes {
        progress(&format!("{count} x {} …", runtime.name()));
        let node = args.options.start(&arguments)?;
        let mut seen = Seen::default();
        let crowd = crowd(args, &node, &subjects, runtime, &mut seen).await;
        node.stop()?;
        crowds.push(crowd?);
        expect_nothing(&seen).await?;
    }
    show(args, &crowds);
    Ok(())
}

async fn crowd(
    args: &Args,
    node: &Node,
    subjects: &Subjects,
    runtime: Runtime,
    seen: &mut Seen,
) -> anyhow::Result<Crowd> {
    let (client, clock) = (node.client()?, SystemClock::new());
    create_service(&client).await?;
    subjects.deploy(&client, runtime, json!({})).await?;
    // What stays once a function has run (unpacked code, a zygote) is no part of an instance.
    call(&client, runtime, 0).await?;
    renew(&client, runtime).await?;
    let begin = clock.monotonic();
    call(&client, runtime, 0).await?;
    let one = clock.monotonic() - begin;
    renew(&client, runtime).await?;
    let hold = match args.hold_seconds {
        Some(seconds) => Duration::from_secs(seconds),
        None => HOLD_MIN + one * u32::try_from(args.count)?,
    };
    let before = Belongings::of(node);
    seen.look(node);
    let used = Used::by(node, seen);

    let begin = clock.monotonic();
    let until = clock.now().plus(hold).as_millis();
    let mut calls = JoinSet::new();
    for _ in 0..args.count {
        let client = node.client()?;
        calls.spawn(async move { call(&client, runtime, until).await });
    }
    all_started(&client, args.count, &mut calls).await?;
    let start = clock.monotonic() - begin;
    seen.look(node);
    let grown = Used::by(node, seen).beyond(&used);
    progress("all there; waiting for the calls to end …");
    while let Some(ended) = calls.join_next().await {
        ended??;
    }
    let begin = clock.monotonic();
    renew(&client, runtime).await?;
    expect_like(node, &before).await?;
    Ok(Crowd { runtime, start, end: clock.monotonic() - begin, grown })
}

/// What a server and everything below it use.
struct Used {
    below_kib: u64,
    server_kib: u64,
    /// By the control groups of the instances; 0 where none counts memory.
    charged_bytes: u64,
    processes: usize,
    /// Mounts of the process with the most.
    mounts: usize,
}

impl Used {
    fn by(node: &Node, seen: &Seen) -> Self {
        let processes = descendants(node.pid());
        Self {
            below_kib: processes.iter().filter_map(Process::proportional_kib).sum(),
            server_kib: proportional_kib(node.pid()).unwrap_or(0),
            charged_bytes: seen.groups().iter().filter_map(|group| charged_bytes(group)).sum(),
            processes: processes.len(),
            mounts: processes.iter().map(Process::mounts).max().unwrap_or(0),
        }
    }

    fn beyond(self, before: &Self) -> Self {
        Self {
            below_kib: self.below_kib.saturating_sub(before.below_kib),
            server_kib: self.server_kib.saturating_sub(before.server_kib),
            charged_bytes: self.charged_bytes.saturating_sub(before.charged_bytes),
            processes: self.processes.saturating_sub(before.processes),
            mounts: self.mounts,
        }
    }
}

async fn call(client: &Client, runtime: Runtime, until_ms: u64) -> anyhow::Result<()> {
    let path = format!("{}/invocations", runtime.path());
    let answer = client.call(Method::POST, &path, &[], Bytes::from(until_ms.to_string())).await?;
    let error = answer.header("x-fc-error-type");
    anyhow::ensure!(error.is_empty(), "{error}: {}", String::from_utf8_lossy(&answer.body));
    Ok(())
}

/// Waits until `count` instances run.
async fn all_started(
    client: &Client,
    count: usize,
    calls: &mut JoinSet<anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    loop {
        let (total, starting) = instances(client).await?;
        if total - starting >= count as u64 {
            return Ok(());
        }
        if let Some(ended) = calls.try_join_next() {
            ended??;
            anyhow::bail!("a call ended before all instances had started: hold them longer");
        }
        clock.sleep(POLL_PERIOD).await;
    }
}

fn show(args: &Args, crowds: &[Crowd]) {
    if args.options.output == Output::Json {
        let rows: Vec<Value> = crowds.iter().map(|crowd| crowd.json(args.count)).collect();
        print(&json!({ "machine": machine(), "many": rows }).to_string());
        return;
    }
    let rows: Vec<Vec<String>> = crowds.iter().map(|crowd| crowd.cells(args.count)).collect();
    print(
        "\nmemory per instance in MiB: share of its processes (PSS), charge of its control group, growth of the server",
    );
    table(&["instances", "started s", "ended s", "PSS", "charged", "server", "processes", "mounts"], &rows);
    print(
        "nothing left behind: no process, mount, control group or file, neither of the instances nor of the server",
    );
    print(&format!("machine: {}", machine()));
}

impl Crowd {
    /// Memory per instance in MiB: of its processes, charged to its control group, of the server.
    fn memory(&self, count: usize) -> [f64; 3] {
        let Used { below_kib, charged_bytes, server_kib, .. } = self.grown;
        [below_kib, charged_bytes / 1024, server_kib].map(|kib| kib as f64 / KIB_PER_MIB / count as f64)
    }

    fn cells(&self, count: usize) -> Vec<String> {
        let [share, charged, server] = self.memory(count);
        vec![
            format!("{count} x {}", self.runtime.name()),
            format!("{:.2}", self.start.as_secs_f64()),
            format!("{:.2}", self.end.as_secs_f64()),
            format!("{share:.2}"),
            if charged > 0.0 { format!("{charged:.2}") } else { "no group".to_owned() },
            format!("{server:.3}"),
            format!("{:.1}", self.grown.processes as f64 / count as f64),
            self.grown.mounts.to_string(),
        ]
    }

    fn json(&self, count: usize) -> Value {
        let [share, charged, server] = self.memory(count);
        json!({
            "runtime": self.runtime.name(), "instances": count,
            "startSeconds": self.start.as_secs_f64(), "endSeconds": self.end.as_secs_f64(),
            "pssMiB": share, "chargedMiB": charged, "serverMiB": server,
            "processes": self.grown.processes, "mountsMax": self.grown.mounts, "leftBehind": 0,
        })
    }
}
