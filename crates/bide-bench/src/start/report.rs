//! How the figures of `start` are shown, and the goals they are held against.

use serde_json::{Value, json};

use super::{PLATFORM, Ways};
use crate::figures::{Output, Samples, machine, millis, print, table};
use crate::subject::Runtime;

/// What the platform's median may be, by the lean spawn of the same interpreter.
fn goal(runtime: Runtime, spawn_ms: f64) -> (f64, &'static str) {
    match runtime {
        Runtime::Python => (spawn_ms / 3.0, "a third of the spawn"),
        Runtime::Node => (spawn_ms / 2.0, "half of the spawn"),
        Runtime::Static => (spawn_ms + 5.0, "the spawn and 5 ms"),
    }
}

pub(super) fn show(output: Output, runtimes: &[Runtime], alone: &mut [Ways], bursts: &mut [Ways]) {
    match output {
        Output::Text => {
            print("\nfrom the request, or the spawn, to the first answer; one at a time, in turn");
            as_table(runtimes, alone);
            goals(runtimes, alone);
            if !bursts.is_empty() {
                print("\nmany at once, until the handler is entered or the program answers");
                as_table(runtimes, bursts);
            }
            print(&format!("\nmachine: {}", machine()));
        }
        Output::Json => {
            let value = json!({ "machine": machine(), "alone": rows(runtimes, alone), "burst": rows(runtimes, bursts) });
            print(&value.to_string());
        }
    }
}

fn as_table(runtimes: &[Runtime], measured: &mut [Ways]) {
    let mut cells = Vec::new();
    for (runtime, ways) in runtimes.iter().zip(measured) {
        let platform = ways.get_mut(PLATFORM).map(|samples| samples.percentile(50).as_secs_f64());
        for (way, samples) in ways.iter_mut() {
            let share = platform.map(|platform| platform / samples.percentile(50).as_secs_f64());
            cells.push(vec![
                format!("{}, {way}", runtime.name()),
                samples.len().to_string(),
                millis(samples.percentile(50)),
                millis(samples.percentile(90)),
                millis(samples.percentile(99)),
                millis(samples.percentile(100)),
                share.map(|share| format!("{share:.2}")).unwrap_or_default(),
            ]);
        }
    }
    table(&["what is started", "starts", "p50 ms", "p90 ms", "p99 ms", "max ms", "bide/this"], &cells);
}

fn goals(runtimes: &[Runtime], measured: &mut [Ways]) {
    for (runtime, ways) in runtimes.iter().zip(measured) {
        let spawns: Vec<&'static str> = ways.keys().copied().filter(|way| way.starts_with("spawn")).collect();
        let median = |samples: &mut Samples| samples.percentile(50).as_secs_f64() * 1e3;
        let Some(platform) = ways.get_mut(PLATFORM).map(median) else { continue };
        for way in spawns {
            let Some(spawn) = ways.get_mut(way).map(median) else { continue };
            let (limit, words) = goal(*runtime, spawn);
            let verdict = if platform <= limit { "met" } else { "missed" };
            let name = runtime.name();
            print(&format!(
                "goal, {name}: {platform:.2} ms at p50, at most {words} ({limit:.2} ms) of '{way}': {verdict}"
            ));
        }
    }
}

fn rows(runtimes: &[Runtime], measured: &mut [Ways]) -> Vec<Value> {
    let mut rows = Vec::new();
    for (runtime, ways) in runtimes.iter().zip(measured) {
        for (way, samples) in ways.iter_mut() {
            let mut ms = |percent| samples.percentile(percent).as_secs_f64() * 1e3;
            let (p50, p90, p99, max) = (ms(50), ms(90), ms(99), ms(100));
            rows.push(json!({
                "runtime": runtime.name(), "way": way, "starts": samples.len(),
                "p50Ms": p50, "p90Ms": p90, "p99Ms": p99, "maxMs": max,
            }));
        }
    }
    rows
}
