//! `custom` and `custom.debian*`: an HTTP server that the package brings (fc-behaviour 7.1 to 7.3).
//!
//! Owns the start command, the port and readiness; [`http`] speaks to the server once it listens. In a sandbox every
//! instance has all ports for itself and listens on the function's own. Without one, instances share the ports of the
//! machine, so each is given a free one by `FC_SERVER_PORT` and `FC_CUSTOM_LISTEN_PORT`. Holds nothing that a crash could
//! lose.

mod http;

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use bide_sandbox::{Exit, LaunchError, ProcessHandle, probe_pause};
use bide_types::limits::CUSTOM_RUNTIME_PORT_DEFAULT;
use bide_types::resource::Function;
use rustix::io::Errno;
use tokio::net::TcpStream;

use super::{Live, Runtime, Start, StartFailure};
use crate::executor::BoxFuture;
use http::HttpChannel;

/// The default command, in the code package.
const BOOTSTRAP: &str = "bootstrap";

pub(super) struct Custom;

impl Custom {
    async fn start_server(&self, start: &Start<'_>) -> Result<Live, StartFailure> {
        let function = &start.spec.function;
        let words = function.custom_command.iter().chain(&function.custom_args);
        let mut argv: Vec<_> = words.map(|word| in_code_dir(word, start.layout.code()).into()).collect();
        if argv.is_empty() {
            check_bootstrap(start.code_dir)?;
            argv.push(start.layout.code().join(BOOTSTRAP).into());
        }
        let port = port(start)?;
        let extra = ["FC_SERVER_PORT", "FC_CUSTOM_LISTEN_PORT"].map(|name| (name, port.to_string()));
        let process = start.launch(argv, &extra).await.map_err(not_launched)?;
        let handle = process.handle();
        let stream = tokio::select! {
            biased;
            exit = handle.exited() => {
                return Err(StartFailure::ended(&handle, exit, function, &ended_early(port, exit)));
            }
            stream = connect(start, &handle, port) => stream,
        };
        let channel = HttpChannel::new(start, handle, port, stream);
        Ok(Live { process, channel: Box::new(channel) })
    }
}

/// The port that a function's instances listen on.
pub(crate) fn custom_port(function: &Function) -> u16 {
    match function.custom_port {
        0 => CUSTOM_RUNTIME_PORT_DEFAULT,
        own => own,
    }
}

/// The port that the instance is to listen on.
fn port(start: &Start<'_>) -> Result<u16, StartFailure> {
    if start.launcher.isolates() {
        return Ok(custom_port(&start.spec.function));
    }
    // Free again at once, so somebody else may take it first: the server then ends and the next attempt gets another.
    let free = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|listener| listener.local_addr());
    free.map(|address| address.port())
        .map_err(|error| StartFailure::System(format!("no free port for the custom runtime: {error}")))
}

/// A program that is not there or cannot be executed is the function's fault (execve(2), "ERRORS").
fn not_launched(error: LaunchError) -> StartFailure {
    match &error {
        LaunchError::Spawn { source, .. } if source.raw_os_error().is_some_and(is_of_program) => {
            StartFailure::not_started(&super::with_causes(&error))
        }
        _ => StartFailure::from(error),
    }
}

fn is_of_program(error: i32) -> bool {
    const OF_PROGRAM: [Errno; 9] = [
        Errno::NOENT,
        Errno::ACCESS,
        Errno::PERM,
        Errno::ISDIR,
        Errno::NOTDIR,
        Errno::NOEXEC,
        Errno::LIBBAD,
        Errno::LOOP,
        Errno::NAMETOOLONG,
    ];
    OF_PROGRAM.iter().any(|of_program| of_program.raw_os_error() == error)
}

fn ended_early(port: u16, exit: Exit) -> String {
    let how = exit
        .code
        .map_or_else(|| format!("signal {}", exit.signal.unwrap_or(0)), |code| format!("exit code {code}"));
    format!("the custom runtime's process ended ({how}) before it listened on port {port}")
}

impl Runtime for Custom {
    fn start<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Live, StartFailure>> {
        Box::pin(self.start_server(start))
    }
}

/// Whether the default command is there and executable.
fn check_bootstrap(code_dir: &Path) -> Result<(), StartFailure> {
    let metadata = std::fs::metadata(code_dir.join(BOOTSTRAP)).map_err(|_| {
        StartFailure::not_started(
            "the custom runtime has no file 'bootstrap' in its code package, and no command",
        )
    })?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(StartFailure::not_started(
            "the file 'bootstrap' of the custom runtime is not executable: set its exec bit in the zip",
        ));
    }
    Ok(())
}

/// `/code/x` as it is called where the code really lies.
fn in_code_dir(part: &str, code_dir: &Path) -> String {
    match part.strip_prefix("/code/") {
        Some(rest) => code_dir.join(rest).to_string_lossy().into_owned(),
        None => part.to_owned(),
    }
}

/// Tries until the server accepts. Bounded by the start timeout of the instance.
async fn connect(start: &Start<'_>, process: &ProcessHandle, port: u16) -> TcpStream {
    let begun = start.clock.monotonic();
    loop {
        match process.connect_to_listener(port).await {
            Ok(stream) => return stream,
            Err(_not_yet) => start.clock.sleep(probe_pause(start.clock.monotonic() - begun)).await,
        }
    }
}

#[cfg(test)]
mod tests;
