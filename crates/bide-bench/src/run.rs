//! `run`: how fast accepted work is run, and how soon.
//!
//! A warm no-op Python function. Throughput: a flood of submits, and the rate at which the ledger settles them. Start
//! time: one task at a time, from just before its submit is sent to the entry of its handler, which reads the same
//! clock. Lateness: the same for tasks deferred by a second, counted from the moment they were due.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bide_client::Client;
use bide_env::{Clock as _, SystemClock};
use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::figures::{Samples, millis, print, table, wall_clock};
use crate::functions::{self, counts};
use crate::load::{Request, Until, send};
use crate::node::{Node, credential};

const FLOOD_CONNECTIONS: usize = 64;
const PAYLOAD_BYTES: usize = 1024;
const POLL_PERIOD: Duration = Duration::from_millis(20);
const DELAY_SECONDS: u64 = 1;
/// Tasks that are deferred at once when lateness is measured, spread over half a second.
const DEFERRED_AT_ONCE: usize = 20;
const TASK_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server to measure
    #[arg(long, default_value = "target/release/bide")]
    server: PathBuf,
    /// Invocations of the flood
    #[arg(long, default_value_t = 60_000)]
    flood: usize,
    /// Samples of start time and of lateness
    #[arg(long, default_value_t = 200)]
    samples: usize,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let node = Node::start(&args.server)?;
    let client = node.client()?;
    functions::deploy(&client).await?;
    warm(&client).await?;
    print("start time, unloaded …");
    let starts = start_times(&client, args.samples).await?;
    print("lateness of deferred starts …");
    let late = lateness(&client, args.samples).await?;
    print("flood …");
    let (settled_per_second, while_submitting) = flood(&node, &client, args.flood).await?;
    report(starts, late, settled_per_second, while_submitting);
    Ok(())
}

fn report(mut starts: Samples, mut late: Lateness, backlog: f64, while_submitting: f64) {
    print("\nno-op Python function, warm; fdatasync before each 202 and for each attempt and settlement");
    let times = |name: &str, samples: &mut Samples| {
        vec![name.to_owned(), millis(samples.percentile(50)), millis(samples.percentile(99)), String::new()]
    };
    let rate =
        |name: &str, rate: f64| vec![name.to_owned(), String::new(), String::new(), format!("{rate:.0}")];
    table(
        &["measure", "p50 ms", "p99 ms", "per second"],
        &[
            times("submit to start", &mut starts),
            times("deferred start late by at most", &mut late.at_most),
            times("deferred start late by at least", &mut late.at_least),
            rate("settled, backlog only", backlog),
            rate("settled, while submitting", while_submitting),
        ],
    );
}

async fn warm(client: &Client) -> anyhow::Result<()> {
    let path = format!("{}/invocations", functions::path());
    for _ in 0..50 {
        client.call(Method::POST, &path, &[], Bytes::new()).await?;
    }
    Ok(())
}

async fn submit(client: &Client, id: &str, delay: u64) -> anyhow::Result<()> {
    let headers = [
        ("x-fc-invocation-type", "Async".to_owned()),
        ("x-fc-stateful-async-invocation-enable", "true".to_owned()),
        ("x-fc-stateful-async-invocation-id", id.to_owned()),
        ("x-fc-async-delay", delay.to_string()),
    ];
    let path = format!("{}/invocations", functions::path());
    client.call(Method::POST, &path, &headers, Bytes::from(vec![b'x'; PAYLOAD_BYTES])).await?;
    Ok(())
}

/// Waits for the end of a task; returns its record and when its handler was entered.
async fn handled(client: &Client, clock: &SystemClock, id: &str) -> anyhow::Result<(Value, Duration)> {
    let path = format!("{}/stateful-async-invocations/{id}", functions::path());
    let deadline = clock.now().plus(TASK_TIMEOUT);
    loop {
        let task = client.json(Method::GET, &path, None).await?;
        if task["status"] == "Succeeded" {
            let entered =
                task["returnPayload"].as_str().context("no return value")?.trim_matches('"').parse()?;
            return Ok((task, Duration::from_nanos(entered)));
        }
        anyhow::ensure!(clock.now() < deadline, "task {id} does not end: {task}");
        clock.sleep(POLL_PERIOD).await;
    }
}

async fn start_times(client: &Client, samples: usize) -> anyhow::Result<Samples> {
    let clock = SystemClock::new();
    let mut times = Samples::default();
    for number in 0..samples {
        let id = format!("start-{number}");
        let sent = wall_clock()?;
        submit(client, &id, 0).await?;
        let (_, entered) = handled(client, &clock, &id).await?;
        times.add(entered.saturating_sub(sent));
    }
    Ok(times)
}

/// How long after its due time a deferred task's handler was entered, within bounds: a task is accepted, and its delay
/// begins, after it was sent and before it was answered.
#[derive(Default)]
struct Lateness {
    at_most: Samples,
    at_least: Samples,
}

async fn lateness(client: &Client, samples: usize) -> anyhow::Result<Lateness> {
    let clock = SystemClock::new();
    let mut late = Lateness::default();
    for round in 0..samples.div_ceil(DEFERRED_AT_ONCE) {
        let mut sent = Vec::new();
        for number in 0..DEFERRED_AT_ONCE {
            let id = format!("late-{round}-{number}");
            let at = wall_clock()?;
            submit(client, &id, DELAY_SECONDS).await?;
            sent.push((id, at, wall_clock()?));
            clock.sleep(Duration::from_millis(23)).await;
        }
        // Nothing is asked of the server while it has something due.
        clock.sleep(Duration::from_secs(DELAY_SECONDS)).await;
        for (id, sent_at, answered_at) in sent {
            let (task, entered) = handled(client, &clock, &id).await?;
            let accepted = Duration::from_millis(task["startedTime"].as_u64().context("no start time")?);
            let due = accepted.max(sent_at) + Duration::from_secs(DELAY_SECONDS);
            anyhow::ensure!(entered >= due, "task {id} started {:?} before it was due", due - entered);
            late.at_most.add(entered - due);
            late.at_least.add(entered.saturating_sub(answered_at + Duration::from_secs(DELAY_SECONDS)));
        }
    }
    Ok(late)
}

/// Settled per second after the submits have ended, and while they went on.
async fn flood(node: &Node, client: &Client, count: usize) -> anyhow::Result<(f64, f64)> {
    let clock = SystemClock::new();
    let request = Request {
        authority: node.authority().to_owned(),
        path: format!("{}/invocations", functions::path()),
        headers: vec![("content-type", "application/octet-stream"), ("x-fc-invocation-type", "Async")],
        payload: vec![b'x'; PAYLOAD_BYTES],
        credential: credential()?,
        expected: 202,
    };
    let before = counts(client).await?;
    let begin = clock.monotonic();
    send(request, FLOOD_CONNECTIONS, Until::Requests(count / FLOOD_CONNECTIONS)).await?;
    let (submitted, submitted_at) = (counts(client).await?, clock.monotonic());
    let mut now = counts(client).await?;
    while now.open > 0 {
        clock.sleep(POLL_PERIOD).await;
        now = counts(client).await?;
    }
    let ended_at = clock.monotonic();
    let rate = |from: u64, to: u64, time: Duration| (to - from) as f64 / time.as_secs_f64();
    Ok((
        rate(submitted.succeeded, now.succeeded, ended_at - submitted_at),
        rate(before.succeeded, submitted.succeeded, submitted_at - begin),
    ))
}
