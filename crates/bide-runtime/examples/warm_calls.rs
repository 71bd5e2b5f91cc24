//! Measures calls of functions that do nothing: cold start, warm latency one at a time, throughput of one instance and
//! of several.
//!
//! Run with `cargo run --release -p bide-runtime --example warm_calls`. Uses the interpreters on the `PATH`.

#![allow(clippy::print_stdout)] // a tool at the desk

use std::collections::HashMap;
use std::io::{self, Cursor, Write};
use std::sync::Arc;
use std::time::Duration;

use bide_env::{Clock, SystemClock, SystemEntropy};
use bide_runtime::{
    AttemptResult, BoxFuture, Cancel, CodeSource, Executor, FunctionSpec, InvokeRequest, PoolOptions, Pools,
    Scale, Tracing,
};
use bide_sandbox::ProcessLauncher;
use bide_types::resource::{Code, Function, Runtime};
use bide_types::{AccountId, FunctionId, FunctionName, Qualifier, RequestId, ServiceName, Timestamp};
use bytes::Bytes;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const WARM_CALLS: usize = 20_000;
const COLD_STARTS: u64 = 10;
const PYTHON: &str = "def handler(event, context):\n    return event\n";
const NODE: &str = "exports.handler = (event, context, callback) => callback(null, event);\n";
const CUSTOM: &str = r#"
const http = require('http');
const server = http.createServer((req, res) => {
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', () => res.end(Buffer.concat(chunks)));
});
server.listen(Number(process.env.FC_SERVER_PORT), '0.0.0.0');
"#;

struct Packages(HashMap<String, Bytes>);

impl CodeSource for Packages {
    fn fetch(&self, digest: &str) -> BoxFuture<'_, io::Result<Bytes>> {
        let zip = self.0.get(digest).cloned();
        Box::pin(async move { zip.ok_or_else(|| io::ErrorKind::NotFound.into()) })
    }
}

fn zip(name: &str, text: &str) -> Bytes {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.start_file(name, SimpleFileOptions::default()).expect("memory can be written");
    writer.write_all(text.as_bytes()).expect("memory can be written");
    writer.finish().expect("memory can be written").into_inner().into()
}

fn spec(id: u64, runtime: &str, digest: &str, concurrency: u32) -> Arc<FunctionSpec> {
    let function = Function {
        id: FunctionId::new(id),
        timeout_seconds: 60,
        instance_concurrency: concurrency,
        custom_command: vec!["node".to_owned(), "/code/server.js".to_owned()],
        code: Code { digest: digest.to_owned(), crc64: 0, size_bytes: 0 },
        revision: 1,
        ..Function::new(
            AccountId::new("1").expect("a valid name"),
            ServiceName::new("s").expect("a valid name"),
            FunctionName::new("f").expect("a valid name"),
            Runtime::parse(runtime).expect("a valid name"),
            "index.handler".to_owned(),
            Timestamp::ZERO,
        )
    };
    Arc::new(FunctionSpec {
        function: Arc::new(function),
        qualifier: Qualifier::latest(),
        version_id: String::new(),
        region: "local".to_owned(),
        internet_access: false,
        role_arn: String::new(),
        scale: Scale::default(),
    })
}

async fn call(pools: &Pools, spec: &Arc<FunctionSpec>) -> Duration {
    let request = InvokeRequest {
        request_id: RequestId::new("00000000-0000-4000-8000-000000000000").expect("a valid name"),
        payload: Bytes::from_static(b"{\"hello\": \"world\"}"),
        retry_count: 0,
        task_id: None,
        alias: None,
        tracing: Tracing::default(),
        http: None,
        responder: None,
    };
    let slot = pools.reserve(spec).await.expect("below the caps");
    let outcome = slot.invoke(request, Cancel::new(), Box::new(|_| {})).await;
    assert!(matches!(outcome.result, AttemptResult::Returned(_)), "{outcome:?}");
    outcome.duration
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100].as_micros();
    format!("p50 {} us, p90 {} us, p99 {} us", at(50), at(90), at(99))
}

async fn measure(pools: &Pools, clock: &SystemClock, runtime: &'static str, digest: &'static str, id: u64) {
    let mut cold = Vec::new();
    for start in 0..COLD_STARTS {
        let begun = clock.monotonic();
        call(pools, &spec(id + start, runtime, digest, 1)).await;
        cold.push(clock.monotonic() - begun);
    }
    println!("{runtime}: cold start {}", percentiles(cold));

    let warm = spec(id, runtime, digest, 1);
    let mut times = Vec::with_capacity(WARM_CALLS);
    let begun = clock.monotonic();
    for _ in 0..WARM_CALLS {
        let begun = clock.monotonic();
        call(pools, &warm).await;
        times.push(clock.monotonic() - begun);
    }
    let rate = WARM_CALLS as f64 / (clock.monotonic() - begun).as_secs_f64();
    println!("{runtime}: warm, one at a time: {}, {rate:.0} calls/s", percentiles(times));

    for callers in [4_usize, 64] {
        crowd(pools, clock, &warm, callers).await;
    }
    for function in id..id + COLD_STARTS {
        pools.retire_but(FunctionId::new(function), &[]);
    }
}

async fn crowd(pools: &Pools, clock: &SystemClock, warm: &Arc<FunctionSpec>, callers: usize) {
    let begun = clock.monotonic();
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (pools, warm) = (pools.clone(), Arc::clone(warm));
            tokio::spawn(async move {
                for _ in 0..WARM_CALLS / callers {
                    call(&pools, &warm).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no call fails");
    }
    let rate = WARM_CALLS as f64 / (clock.monotonic() - begun).as_secs_f64();
    let instances = pools.stats().instances;
    println!(
        "{}: warm, {callers} callers: {rate:.0} calls/s ({instances} instances in all)",
        warm.function.runtime.name()
    );
}

#[tokio::main]
async fn main() {
    let cache = std::env::temp_dir().join(format!("bide-warm-calls-{}", std::process::id()));
    let clock = SystemClock::new();
    let packages = Packages(HashMap::from([
        ("aa".to_owned(), zip("index.py", PYTHON)),
        ("bb".to_owned(), zip("index.js", NODE)),
        ("cc".to_owned(), zip("server.js", CUSTOM)),
    ]));
    let launcher = Arc::new(ProcessLauncher::new().expect("a thread can be started"));
    let options = PoolOptions::new(cache.clone());
    let pools = Pools::start(options, Arc::new(clock.clone()), &SystemEntropy, Arc::new(packages), launcher)
        .await
        .expect("the cache can be written");
    measure(&pools, &clock, "python3", "aa", 100).await;
    measure(&pools, &clock, "nodejs20", "bb", 200).await;
    measure(&pools, &clock, "custom", "cc", 300).await;
    pools.shutdown().await;
    std::fs::remove_dir_all(cache).expect("the cache is ours");
}
