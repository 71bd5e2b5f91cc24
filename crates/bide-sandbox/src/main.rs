//! `bide-sandbox`: runs one program in a sandbox, to try what it sees and to time it beside other tools.
//!
//! Also the host of the supervisor in this crate's tests. Not part of the server.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

use bide_sandbox::{LaunchSpec, Launcher, SandboxLauncher};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

const USAGE: &str = "usage: bide-sandbox run [--repeat N] -- PROGRAM [ARGUMENT...]";

fn main() -> ExitCode {
    bide_sandbox::take_over();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let done = runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run()));
    match done {
        Ok(code) => code,
        Err(error) => {
            let mut text = format!("bide-sandbox: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                text.push_str(&format!(": {error}"));
                cause = error.source();
            }
            let _ = writeln!(std::io::stderr(), "{text}");
            ExitCode::from(125)
        }
    }
}

type Failure = Box<dyn std::error::Error>;

async fn run() -> Result<ExitCode, Failure> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().as_deref() != Some("run".as_ref()) {
        return Err(USAGE.into());
    }
    let mut repeat = 1_u32;
    loop {
        match arguments.next() {
            Some(word) if word == "--" => break,
            Some(word) if word == "--repeat" => {
                let count = arguments.next().and_then(|count| count.to_str()?.parse().ok());
                repeat = count.filter(|count| *count > 0).ok_or(USAGE)?;
            }
            _ => return Err(USAGE.into()),
        }
    }
    let argv: Vec<OsString> = arguments.collect();
    let launcher = SandboxLauncher::start("/proc/self/exe".into()).await?;
    let mut code = None;
    let mut times = Vec::new();
    for _ in 0..repeat {
        let begun = now();
        code = run_once(&launcher, argv.clone()).await?;
        times.push(now().saturating_sub(begun));
    }
    if repeat > 1 {
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 100] / 1000;
        writeln!(std::io::stderr(), "{repeat} runs: p50 {} us, p99 {} us", at(50), at(99))?;
    }
    Ok(ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(124)))
}

async fn run_once(launcher: &SandboxLauncher, argv: Vec<OsString>) -> Result<Option<i32>, Failure> {
    let env = vec![("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()), ("HOME".into(), "/tmp".into())];
    let mut process = launcher.spawn(LaunchSpec { env, ..LaunchSpec::new(argv) }).await?;
    let mut output = Receiver::from_owned_fd(process.take_output().ok_or("no output")?)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match output.read(&mut buffer).await? {
            0 => break,
            read => std::io::stdout().write_all(&buffer[..read])?,
        }
    }
    Ok(process.handle().exited().await.code)
}

/// Nanoseconds since some moment.
fn now() -> u128 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u128::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u128::try_from(now.tv_nsec).unwrap_or(0)
}
