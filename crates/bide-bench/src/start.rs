//! `start`: how long the first call of an instance takes, from its request to its answer.
//!
//! Every sample is a synchronous call over HTTP that finds no instance: the function has just been changed, the instance
//! before it is gone, and the server has done what it does ahead of need (`--server-arg=--standby-instances=0`: nothing).
//! In turn with it, in the same run: spawns of the same interpreter to its first answer, as lean as it gets and as most
//! people would write it, and the lean one within `bwrap`. Then a burst: many at once.

mod burst;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use bide_client::Client;
use bide_env::{Clock as _, SystemClock};
use bytes::Bytes;
use http::Method;
use serde_json::json;

use crate::bare_program::BareProgram;
use crate::figures::{Samples, progress};
use crate::functions::{create_service, instances, missing_standbys};
use crate::subject::{Bare, Options, Runtime, Subjects};

/// Between two looks at whether an instance is gone.
const POLL_PERIOD: Duration = Duration::from_millis(2);
const GONE_TIMEOUT: Duration = Duration::from_secs(60);
/// What the rows of the platform are called.
pub(crate) const PLATFORM: &str = "bide: cold call";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    options: Options,
    /// Starts of each kind, one after the other
    #[arg(long, default_value_t = 100)]
    starts: usize,
    /// Starts at once; 0 leaves the burst out
    #[arg(long, default_value_t = 50)]
    burst: usize,
}

/// The samples of one runtime, by what was started.
pub(crate) type Ways = BTreeMap<&'static str, Samples>;

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let runtimes = args.options.runtimes();
    let subjects = Subjects::prepare(&runtimes)?;
    let most = args.burst.max(1).to_string();
    let arguments = ["--instances-per-account", &most, "--instances-per-function", &most];
    let node = args.options.start(&arguments)?;
    let client = node.client()?;
    create_service(&client).await?;
    for runtime in &runtimes {
        subjects.deploy(&client, *runtime, json!({})).await?;
    }
    let mut alone: Vec<Ways> = runtimes.iter().map(|_| Ways::new()).collect();
    for round in 0..args.starts {
        if round % 10 == 0 {
            progress(&format!("start {round} of {} …", args.starts));
        }
        for (runtime, ways) in runtimes.iter().zip(&mut alone) {
            one_of_each(&client, &subjects, *runtime, ways).await?;
        }
    }
    let mut bursts = Vec::new();
    if args.burst > 0 {
        for runtime in &runtimes {
            progress(&format!("{} {} at once …", args.burst, runtime.name()));
            bursts.push(burst::measure(&node, &subjects, *runtime, args.burst).await?);
        }
    }
    report::show(args.options.output, &runtimes, &mut alone, &mut bursts);
    Ok(())
}

async fn one_of_each(
    client: &Client,
    subjects: &Subjects,
    runtime: Runtime,
    ways: &mut Ways,
) -> anyhow::Result<()> {
    let bares = [Some(subjects.lean(runtime)), subjects.ordinary(runtime), subjects.wrapped(runtime)];
    for bare in bares.into_iter().flatten() {
        let name = bare.name;
        let sample = tokio::task::spawn_blocking(move || spawn(&bare)).await??;
        ways.entry(name).or_default().add(sample);
    }
    let sample = cold_call(client, runtime).await?;
    ways.entry(PLATFORM).or_default().add(sample);
    Ok(())
}

/// From before the spawn to the first answer.
fn spawn(bare: &Bare) -> anyhow::Result<Duration> {
    let clock = SystemClock::new();
    let begin = clock.monotonic();
    let mut program = BareProgram::start(bare)?;
    program.ask()?;
    Ok(clock.monotonic() - begin)
}

/// The first call of a function that has no instance, as nothing has; it has none afterwards.
async fn cold_call(client: &Client, runtime: Runtime) -> anyhow::Result<Duration> {
    let clock = SystemClock::new();
    let begin = clock.monotonic();
    let path = format!("{}/invocations", runtime.path());
    let answer = client.call(Method::POST, &path, &[], Bytes::from_static(b"0")).await?;
    let took = clock.monotonic() - begin;
    let error = answer.header("x-fc-error-type");
    anyhow::ensure!(error.is_empty(), "{error}: {}", String::from_utf8_lossy(&answer.body));
    renew(client, runtime).await?;
    Ok(took)
}

/// Changes the function, the only one with instances, and waits until none is left and nothing is being made ready.
pub(crate) async fn renew(client: &Client, runtime: Runtime) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    let change = json!({ "description": format!("{:?}", clock.monotonic()) });
    client.json(Method::PUT, &runtime.path(), Some(&change)).await?;
    let deadline = clock.monotonic() + GONE_TIMEOUT;
    while instances(client).await?.0 > 0 || missing_standbys(client).await? > 0 {
        anyhow::ensure!(clock.monotonic() < deadline, "the server does not come to rest");
        clock.sleep(POLL_PERIOD).await;
    }
    Ok(())
}

/// The time that the function says it was entered.
pub(crate) fn entered(body: &[u8]) -> anyhow::Result<Duration> {
    let text = std::str::from_utf8(body)?;
    Ok(Duration::from_nanos(text.parse().with_context(|| format!("no time: {text}"))?))
}
