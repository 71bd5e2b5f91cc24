//! `list`: pages out of very many task records, and what listing costs those who submit meanwhile.
//!
//! The records: one part has run, the rest is deferred by an hour, in turns, so that every index is long. Pages are asked
//! one after the other over one connection. Submits: the same load with and without somebody who lists, in turns.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bide_client::{Client, escape};
use bide_env::{Clock as _, SystemClock};
use http::Method;
use serde_json::Value;

use crate::figures::{Samples, median, millis, print, progress, table};
use crate::functions::{self, counts};
use crate::load::{Outcome, Request, Until, send};
use crate::node::{Node, credential};

const CONNECTIONS: usize = 64;
const PAYLOAD_BYTES: usize = 256;
/// Turns of filling: each adds records that run and records that are deferred. So many that the tenth of the time that is
/// asked for surely holds some that ran.
const TURNS: usize = 50;
/// Of ten records, how many run.
const RUN_IN_TEN: usize = 1;
const PAGE: usize = 100;
const POLL_PERIOD: Duration = Duration::from_millis(20);
/// Of an id, how much is asked for as its prefix. Ids that the server makes are random and hexadecimal, so one record in
/// 16 or in 4,096 begins so.
const PREFIXES_CHARS: [usize; 2] = [1, 3];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server to measure
    #[arg(long, default_value = "target/release/bide")]
    server: PathBuf,
    /// Task records to list from
    #[arg(long, default_value_t = 1_000_000)]
    tasks: usize,
    /// Pages of each kind
    #[arg(long, default_value_t = 200)]
    pages: usize,
    /// Pages a second that somebody asks for while others submit
    #[arg(long, default_value_t = 20)]
    rate: u32,
    /// Seconds of each load of submits
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Rounds of submits; the median is printed
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// A kind of page.
struct Kind {
    name: &'static str,
    /// Filters, as they stand in the query.
    filter: String,
    pages: Samples,
    found: usize,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    anyhow::ensure!(args.tasks >= TURNS * 10, "at least {} tasks are needed", TURNS * 10);
    let node = Node::start(&args.server)?;
    let client = node.client()?;
    functions::deploy(&client).await?;
    fill(&node, &client, args.tasks).await?;
    let mut kinds = kinds(&client).await?;
    for kind in &mut kinds {
        progress(&format!("{} pages: {} …", args.pages, kind.name));
        measure(&client, kind, args.pages).await?;
    }
    show(args.tasks, &mut kinds);
    let filters: Vec<String> = kinds.into_iter().map(|kind| kind.filter).collect();
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        progress(&format!("submits, round {} of {} …", round + 1, args.rounds));
        rounds.push(submits(&node, &filters, args).await?);
    }
    show_submits(args, &rounds);
    Ok(())
}

/// Makes the records, oldest first a mixture of both kinds.
async fn fill(node: &Node, client: &Client, tasks: usize) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    for turn in 0..TURNS {
        progress(&format!("{} of {tasks} records …", turn * (tasks / TURNS)));
        let runs = tasks / TURNS * RUN_IN_TEN / 10;
        for (count, delay) in [(runs, "0"), (tasks / TURNS - runs, "3600")] {
            send(request(node, delay)?, CONNECTIONS, Until::Requests(count.div_ceil(CONNECTIONS))).await?;
        }
    }
    let expected = (tasks / TURNS * RUN_IN_TEN / 10) * TURNS;
    while counts(client).await?.succeeded < expected as u64 {
        clock.sleep(POLL_PERIOD).await;
    }
    Ok(())
}

fn request(node: &Node, delay: &'static str) -> anyhow::Result<Request> {
    Ok(Request {
        authority: node.authority().to_owned(),
        path: format!("{}/invocations", functions::path()),
        headers: vec![
            ("content-type", "application/octet-stream"),
            ("x-fc-invocation-type", "Async"),
            ("x-fc-stateful-async-invocation-enable", "true"),
            ("x-fc-async-delay", delay),
        ],
        payload: vec![b'x'; PAYLOAD_BYTES],
        credential: credential()?,
        expected: 202,
    })
}

/// Every filter in both orders; prefix and time range are taken from records that are there.
async fn kinds(client: &Client) -> anyhow::Result<Vec<Kind>> {
    let first = page(client, "sortOrderByTime=asc&limit=1").await?;
    let last = page(client, "sortOrderByTime=desc&limit=1").await?;
    let started = |page: &Value| page["invocations"][0]["startedTime"].as_u64().context("no start time");
    let (from, to) = (started(&first)?, started(&last)?);
    let id = first["invocations"][0]["invocationId"].as_str().context("no id")?;
    let [short, long] = PREFIXES_CHARS.map(|chars| id.chars().take(chars).collect::<String>());
    let prefix = |prefix: &str| format!("invocationIdPrefix={}", escape(prefix));
    let (begin, end) = (from + (to - from) / 2, from + (to - from) * 6 / 10);
    let range = format!("startedTimeBegin={begin}&startedTimeEnd={end}");
    let filters = [
        ("all", String::new()),
        ("status=Succeeded", "status=Succeeded".to_owned()),
        ("status=Enqueued", "status=Enqueued".to_owned()),
        ("short id prefix", prefix(&short)),
        ("long id prefix", prefix(&long)),
        ("a tenth of the time", range.clone()),
        ("Succeeded in that time", format!("status=Succeeded&{range}")),
    ];
    let both = filters.into_iter().flat_map(|(name, filter)| {
        ["asc", "desc"].map(|order| Kind {
            name,
            filter: format!("{filter}&sortOrderByTime={order}&limit={PAGE}"),
            pages: Samples::default(),
            found: 0,
        })
    });
    Ok(both.collect())
}

async fn page(client: &Client, query: &str) -> anyhow::Result<Value> {
    let target =
        format!("{}/stateful-async-invocations?{}", functions::path(), query.trim_start_matches('&'));
    Ok(client.json(Method::GET, &target, None).await?)
}

/// Follows the pages of `kind`, from the first again after the last.
async fn measure(client: &Client, kind: &mut Kind, pages: usize) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    let mut token = String::new();
    for _ in 0..pages {
        let begin = clock.monotonic();
        let page = page(client, &format!("{}&nextToken={}", kind.filter, escape(&token))).await?;
        kind.pages.add(clock.monotonic() - begin);
        kind.found += page["invocations"].as_array().context("no list")?.len();
        token = page["nextToken"].as_str().unwrap_or_default().to_owned();
    }
    anyhow::ensure!(kind.found > 0, "nothing found: {}", kind.filter);
    Ok(())
}

fn show(tasks: usize, kinds: &mut [Kind]) {
    print(&format!("\npages of up to {PAGE} out of {tasks} task records, followed by their tokens"));
    let rows: Vec<_> = kinds
        .iter_mut()
        .map(|kind| {
            let order = if kind.filter.contains("=asc") { "oldest first" } else { "newest first" };
            vec![
                kind.name.to_owned(),
                order.to_owned(),
                kind.found.to_string(),
                millis(kind.pages.percentile(50)),
                millis(kind.pages.percentile(99)),
            ]
        })
        .collect();
    table(&["filter", "order", "records", "p50 ms", "p99 ms"], &rows);
}

/// Submits a second: alone, and beside somebody who lists.
async fn submits(node: &Node, filters: &[String], args: &Args) -> anyhow::Result<(f64, f64)> {
    let until = Until::Elapsed(Duration::from_secs(args.seconds));
    let alone = send(request(node, "3600")?, CONNECTIONS, until).await?;
    let client = node.client()?;
    let listing = list_on(&client, filters, Duration::from_secs(1) / args.rate.max(1));
    let beside: Outcome = tokio::select! {
        outcome = send(request(node, "3600")?, CONNECTIONS, until) => outcome?,
        error = listing => return Err(error),
    };
    Ok((alone.per_second(), beside.per_second()))
}

/// Asks for a page every `period`, of one kind after the other, until something goes wrong.
async fn list_on(client: &Client, filters: &[String], period: Duration) -> anyhow::Error {
    let clock = SystemClock::new();
    for filter in filters.iter().cycle() {
        let asked = clock.monotonic();
        if let Err(error) = page(client, filter).await {
            return error;
        }
        clock.sleep(period.saturating_sub(clock.monotonic() - asked)).await;
    }
    anyhow::anyhow!("no filters")
}

fn show_submits(args: &Args, rounds: &[(f64, f64)]) {
    let alone = median(rounds.iter().map(|(alone, _)| *alone).collect());
    let beside = median(rounds.iter().map(|(_, beside)| *beside).collect());
    let ratio = median(rounds.iter().map(|(alone, beside)| beside / alone).collect());
    print(&format!(
        "\ndurable submits over {CONNECTIONS} connections, fdatasync before each 202; medians of {} rounds",
        rounds.len()
    ));
    table(
        &["load", "submits/s", "of alone"],
        &[
            vec!["alone".to_owned(), format!("{alone:.0}"), String::new()],
            vec![
                format!("beside {} pages/s", args.rate),
                format!("{beside:.0}"),
                format!("{:.1} %", ratio * 100.0),
            ],
        ],
    );
}
