//! `idle`: what a server without work takes.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use bide_env::{Clock as _, SystemClock};

use crate::figures::{print, table};
use crate::node::Node;

/// Time for the start to be over before measuring.
const SETTLE: Duration = Duration::from_secs(2);
/// Clock ticks per second of `/proc/PID/stat`, fixed on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The server to measure
    #[arg(long, default_value = "target/release/bide")]
    server: PathBuf,
    /// Seconds of watching
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<()> {
    let clock = SystemClock::new();
    let node = Node::start(&args.server)?;
    clock.sleep(SETTLE).await;
    let (before, begin) = (ticks(node.pid())?, clock.monotonic());
    clock.sleep(Duration::from_secs(args.seconds)).await;
    let (after, end) = (ticks(node.pid())?, clock.monotonic());
    let share = (after - before) / TICKS_PER_SECOND / (end - begin).as_secs_f64();
    let resident = resident_kib(node.pid())? / 1024.0;
    table(
        &["idle server", "resident MiB", "% of a core"],
        &[vec![format!("{} s", args.seconds), format!("{resident:.1}"), format!("{:.3}", share * 100.0)]],
    );
    print("(resident: VmRSS; a core: user and system time of /proc, in steps of 10 ms)");
    Ok(())
}

/// User and system time so far, in ticks.
fn ticks(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; what follows it is numbers. Fields 14 and 15 (proc(5)).
    let fields: Vec<&str> = stat.rsplit(") ").next().context("no fields")?.split(' ').collect();
    let field =
        |number: usize| fields.get(number - 3).context("too few fields")?.parse::<f64>().context("no number");
    Ok(field(14)? + field(15)?)
}

fn resident_kib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("no number")
}
