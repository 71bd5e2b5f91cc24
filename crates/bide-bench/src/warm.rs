//! `warm`: what the platform adds to a call of an instance that is ready.
//!
//! One synchronous, signed call after the other over one connection; in turn with it, the bare interpreter loop over a
//! socket pair with a blocking client (for the static binary: the same HTTP server over TCP, the same client). Then the
//! rate over several connections.

use std::time::Duration;

use anyhow::Context as _;
use bide_env::{Clock as _, SystemClock};
use serde_json::{Value, json};

use crate::bare_program::BareProgram;
use crate::figures::{Output, Samples, machine, micros, print, progress, table};
use crate::functions::create_service;
use crate::load::{Outcome, Request, Until, send};
use crate::node::{Node, credential};
use crate::subject::{Options, Runtime, Subjects};

/// Calls before anything is measured.
const WARM_UP: usize = 200;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// Seconds of each load
    #[arg(long, default_value_t = 1)]
    seconds: u64,
    /// Rounds, each of every load once
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections of the second load
    #[arg(long, default_value_t = 8)]
    connections: usize,
}

/// What one runtime did over all rounds.
#[derive(Default)]
struct Measured {
    platform: Rate,
    bare: Rate,
    crowd: Rate,
}

/// Calls and the time they took together.
#[derive(Default)]
struct Rate {
    latencies: Samples,
    elapsed: Duration,
}

impl Rate {
    fn add(&mut self, outcome: Outcome) {
        self.latencies.merge(outcome.latencies);
        self.elapsed += outcome.elapsed;
    }

    fn figures(&mut self) -> Figures {
        Figures {
            per_second: self.latencies.len() as f64 / self.elapsed.as_secs_f64(),
            p50: self.latencies.percentile(50),
            p99: self.latencies.percentile(99),
        }
    }
}

struct Figures {
    per_second: f64,
    p50: Duration,
    p99: Duration,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let runtimes = args.options.runtimes();
    let subjects = Subjects::prepare(&runtimes)?;
    let node = args.options.start(&[])?;
    create_service(&node.client()?).await?;
    let mut all = Vec::new();
    for runtime in &runtimes {
        progress(&format!("{} …", runtime.name()));
        subjects.deploy(&node.client()?, *runtime, json!({})).await?;
        all.push(measure(args, &node, &subjects, *runtime).await?);
    }
    show(args, &runtimes, &mut all);
    Ok(())
}

async fn measure(
    args: &Args,
    node: &Node,
    subjects: &Subjects,
    runtime: Runtime,
) -> anyhow::Result<Measured> {
    let seconds = Duration::from_secs(args.seconds);
    let until = Until::Elapsed(seconds);
    let mut bare = match runtime {
        Runtime::Python | Runtime::Node => BareProgram::start(&subjects.lean(runtime))?,
        Runtime::Static => BareProgram::start(&subjects.static_server())?,
    };
    let mut measured = Measured::default();
    send(request(node.authority(), runtime)?, args.connections, Until::Requests(WARM_UP)).await?;
    for _ in 0..args.rounds {
        measured.platform.add(send(request(node.authority(), runtime)?, 1, until).await?);
        measured.bare.add(match bare.authority() {
            Some(authority) => send(request(&authority, runtime)?, 1, until).await?,
            None => {
                let ask = move || ask(bare, seconds);
                let (program, outcome) = tokio::task::spawn_blocking(ask).await??;
                bare = program;
                outcome
            }
        });
        measured.crowd.add(send(request(node.authority(), runtime)?, args.connections, until).await?);
    }
    Ok(measured)
}

/// Asks the same program again and again.
fn ask(mut program: BareProgram, duration: Duration) -> anyhow::Result<(BareProgram, Outcome)> {
    let clock = SystemClock::new();
    let (begin, mut latencies) = (clock.monotonic(), Samples::default());
    loop {
        let sent = clock.monotonic();
        if sent - begin >= duration {
            return Ok((program, Outcome { elapsed: sent - begin, latencies }));
        }
        program.ask().context("the bare program")?;
        latencies.add(clock.monotonic() - sent);
    }
}

fn request(authority: &str, runtime: Runtime) -> anyhow::Result<Request> {
    Ok(Request {
        authority: authority.to_owned(),
        path: format!("{}/invocations", runtime.path()),
        headers: vec![("content-type", "application/octet-stream")],
        payload: b"0".to_vec(),
        credential: credential()?,
        expected: 200,
    })
}

fn show(args: &Args, runtimes: &[Runtime], all: &mut [Measured]) {
    let rows: Vec<(Runtime, [Figures; 3])> = runtimes
        .iter()
        .zip(all)
        .map(|(runtime, Measured { platform, bare, crowd })| {
            (*runtime, [platform, bare, crowd].map(|rate| rate.figures()))
        })
        .collect();
    if args.options.output == Output::Json {
        let rows: Vec<Value> = rows.iter().map(|(runtime, figures)| json(*runtime, figures)).collect();
        let value = json!({ "machine": machine(), "connections": args.connections, "warm": rows });
        print(&value.to_string());
        return;
    }
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(runtime, figures)| {
            let mut cells = vec![runtime.name().to_owned(), micros(added(figures))];
            cells.extend(figures.iter().flat_map(|figures| {
                [format!("{:.0}", figures.per_second), micros(figures.p50), micros(figures.p99)]
            }));
            cells
        })
        .collect();
    print(
        "\nwarm synchronous calls, signed, over HTTP, beside the bare interpreter over a socket pair (static: HTTP over \
         TCP)",
    );
    let many = format!("{} conns/s", args.connections);
    let headings =
        ["runtime", "added p50 us", "calls/s", "p50", "p99", "bare/s", "p50", "p99", &many, "p50", "p99"];
    table(&headings, &rows);
    print("goal: at most 150 us added at p50");
    print(&format!("machine: {}", machine()));
}

/// What the platform adds at the median.
fn added([platform, bare, _]: &[Figures; 3]) -> Duration {
    platform.p50.saturating_sub(bare.p50)
}

fn json(runtime: Runtime, figures: &[Figures; 3]) -> Value {
    let us = |duration: Duration| duration.as_secs_f64() * 1e6;
    let load = |figures: &Figures| json!({ "perSecond": figures.per_second, "p50Us": us(figures.p50), "p99Us": us(figures.p99) });
    let [platform, bare, crowd] = figures;
    json!({
        "runtime": runtime.name(), "addedP50Us": us(added(figures)),
        "platform": load(platform), "bare": load(bare), "connections": load(crowd),
    })
}
