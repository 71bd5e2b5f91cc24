//! `submit`: how many asynchronous invocations a second become durable and are answered with 202.
//!
//! The work is deferred by an hour, so nothing runs meanwhile. Beside it, in the same round: the bare HTTP stack under
//! the same load, and the cost of one flush of the disk.

use std::path::PathBuf;
use std::time::Duration;

use crate::disk;
use crate::figures::{median, micros, print, table};
use crate::functions::{self, counts};
use crate::load::{Outcome, Request, Until, send};
use crate::node::{Node, credential};

const CONNECTIONS: [usize; 4] = [1, 32, 128, 256];
const PAYLOAD_BYTES: usize = 1024;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server to measure
    #[arg(long, default_value = "target/release/bide")]
    server: PathBuf,
    /// Seconds of each load
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Rounds; the median is printed
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// One load on the real and one on the bare server.
struct Pair {
    submits: f64,
    p50: Duration,
    p99: Duration,
    bare: f64,
    bare_p50: Duration,
    flushes: f64,
    per_flush: f64,
    extra_groups: u64,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let until = Until::Elapsed(Duration::from_secs(args.seconds));
    let bare = Node::start_bare()?;
    let mut pairs: Vec<Vec<Pair>> = CONNECTIONS.iter().map(|_| Vec::new()).collect();
    let mut flush_p50 = Vec::new();
    for round in 0..args.rounds {
        print(&format!("round {} of {}", round + 1, args.rounds));
        let node = Node::start(&args.server)?;
        functions::deploy(&node.client()?).await?;
        flush_p50.push(disk::flushes(node.dir())?.percentile(50).as_secs_f64() * 1e6);
        for (index, connections) in CONNECTIONS.into_iter().enumerate() {
            pairs[index].push(pair(&node, &bare, connections, until).await?);
        }
    }
    let flush = Duration::from_secs_f64(median(flush_p50) / 1e6);
    report(&pairs, flush);
    Ok(())
}

async fn pair(node: &Node, bare: &Node, connections: usize, until: Until) -> anyhow::Result<Pair> {
    let ceiling = send(request(bare.authority())?, connections, until).await?;
    let client = node.client()?;
    let before = counts(&client).await?;
    let Outcome { elapsed, mut latencies } = send(request(node.authority())?, connections, until).await?;
    let after = counts(&client).await?;
    let (flushes, groups) = (after.flushes - before.flushes, after.groups - before.groups);
    let bare_rate = ceiling.per_second();
    let mut bare_latencies = ceiling.latencies;
    Ok(Pair {
        submits: latencies.len() as f64 / elapsed.as_secs_f64(),
        p50: latencies.percentile(50),
        p99: latencies.percentile(99),
        bare: bare_rate,
        bare_p50: bare_latencies.percentile(50),
        flushes: flushes as f64 / elapsed.as_secs_f64(),
        per_flush: (after.operations - before.operations) as f64 / flushes as f64,
        extra_groups: groups.abs_diff(flushes),
    })
}

fn request(authority: &str) -> anyhow::Result<Request> {
    Ok(Request {
        authority: authority.to_owned(),
        path: format!("{}/invocations", functions::path()),
        headers: vec![
            ("content-type", "application/octet-stream"),
            ("x-fc-invocation-type", "Async"),
            ("x-fc-async-delay", "3600"),
        ],
        payload: vec![b'x'; PAYLOAD_BYTES],
        credential: credential()?,
        expected: 202,
    })
}

/// The median of one figure over the rounds.
fn middle(rounds: &[Pair], value: fn(&Pair) -> f64) -> f64 {
    median(rounds.iter().map(value).collect())
}

fn row(connections: usize, rounds: &[Pair]) -> Vec<String> {
    let time = |value: fn(&Pair) -> f64| micros(Duration::from_secs_f64(middle(rounds, value)));
    let (submits, bare) = (middle(rounds, |pair| pair.submits), middle(rounds, |pair| pair.bare));
    vec![
        connections.to_string(),
        format!("{submits:.0}"),
        time(|pair| pair.p50.as_secs_f64()),
        time(|pair| pair.p99.as_secs_f64()),
        format!("{:.0}", middle(rounds, |pair| pair.flushes)),
        format!("{:.1}", middle(rounds, |pair| pair.per_flush)),
        rounds.iter().map(|pair| pair.extra_groups).sum::<u64>().to_string(),
        format!("{bare:.0}"),
        time(|pair| pair.bare_p50.as_secs_f64()),
        format!("{:.2}", submits / bare),
    ]
}

fn report(pairs: &[Vec<Pair>], flush: Duration) {
    let rows: Vec<Vec<String>> =
        CONNECTIONS.iter().zip(pairs).map(|(connections, rounds)| row(*connections, rounds)).collect();
    print("\ndurable submits: 1 KiB, signed, fdatasync before each 202 (medians of the rounds)");
    table(
        &[
            "conns",
            "submits/s",
            "p50 us",
            "p99 us",
            "flushes/s",
            "ops/flush",
            "groups-flushes",
            "bare/s",
            "bare p50",
            "ratio",
        ],
        &rows,
    );
    let alone = middle(&pairs[0], |pair| pair.p50.as_secs_f64());
    let floor = flush.as_secs_f64() + middle(&pairs[0], |pair| pair.bare_p50.as_secs_f64());
    print(&format!(
        "\nflush of the disk (4 KiB append + fdatasync): p50 {} us; one submit alone takes {:.2} times the flush plus \
         the bare round trip",
        micros(flush),
        alone / floor
    ));
}
