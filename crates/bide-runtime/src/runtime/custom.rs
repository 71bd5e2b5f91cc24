//! `custom` and `custom.debian*`: an HTTP server that the package brings (fc-behaviour 7.1 to 7.3).
//!
//! Owns the start command and readiness; [`ports`] chooses where the server listens, [`http`] speaks to it once it does.
//! The code learns the port from `FC_SERVER_PORT` and `FC_CUSTOM_LISTEN_PORT`. Code that ends at once on a port that is
//! not its own is taken to insist on its own ([`StartFailure::PortTaken`]): it then gets one instance at a time, which
//! waits for that port. Holds nothing that a crash could lose.

mod http;
mod ports;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use bide_sandbox::{Exit, LaunchError};
use tokio::net::TcpStream;

use super::{Live, Runtime, Start, StartFailure};
use crate::executor::BoxFuture;
use http::HttpChannel;
use ports::{NotFree, Port, Ports};

/// Time between two attempts to connect.
const PROBE_INTERVAL: Duration = Duration::from_millis(10);

pub(super) struct Custom {
    ports: Ports,
}

impl Custom {
    pub(super) fn new() -> Self {
        Self { ports: Ports::default() }
    }

    async fn start_server(&self, start: &Start<'_>) -> Result<Live, StartFailure> {
        let function = &start.spec.function;
        let argv = if function.custom_command.is_empty() {
            vec![bootstrap(start.code_dir)?.into()]
        } else {
            function.custom_command.iter().map(|part| in_code_dir(part, start.code_dir).into()).collect()
        };
        let port = self.port(start).await?;
        let number = port.number().to_string();
        let extra =
            vec![("FC_SERVER_PORT".to_owned(), number.clone()), ("FC_CUSTOM_LISTEN_PORT".to_owned(), number)];
        let process = start.launch(argv, extra, None).await.map_err(not_launched)?;
        let handle = process.handle();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number()));
        let stream = tokio::select! {
            biased;
            exit = handle.exited() => return Err(ended_early(start, &port, exit)),
            stream = connect(start, address) => stream,
        };
        let channel = HttpChannel::new(start, address, stream, port);
        Ok(Live { process, channel: Box::new(channel) })
    }

    /// The port that the instance is to listen on.
    async fn port(&self, start: &Start<'_>) -> Result<Port, StartFailure> {
        let own = start.spec.function.custom_port;
        if !start.alone {
            return self.ports.any(own, start.clock).await.map_err(|error| {
                StartFailure::System(format!("no free port for the custom runtime: {error}"))
            });
        }
        self.ports.own(own, start.clock).await.map_err(|refused| match refused {
            NotFree::Ours => StartFailure::System(format!("port {own} is in use by other functions")),
            NotFree::Foreign => StartFailure::not_started(&format!(
                "port {own} of the custom runtime is in use by another program of this host: \
                 listen on the port in FC_SERVER_PORT, or give the function another caPort"
            )),
        })
    }
}

/// A program that is not there or cannot be executed is the function's fault.
fn not_launched(error: LaunchError) -> StartFailure {
    use io::ErrorKind::{IsADirectory, NotADirectory, NotFound, PermissionDenied};
    match &error {
        LaunchError::Spawn { source, .. }
            if matches!(source.kind(), NotFound | PermissionDenied | IsADirectory | NotADirectory) =>
        {
            StartFailure::not_started(&super::with_causes(&error))
        }
        _ => StartFailure::from(error),
    }
}

fn ended_early(start: &Start<'_>, port: &Port, exit: Exit) -> StartFailure {
    let own = start.spec.function.custom_port;
    if own != 0 && own != port.number() {
        return StartFailure::PortTaken;
    }
    let how = exit
        .code
        .map_or_else(|| format!("signal {}", exit.signal.unwrap_or(0)), |code| format!("exit code {code}"));
    StartFailure::not_started(&format!(
        "the custom runtime's process ended ({how}) before it listened on port {}",
        port.number()
    ))
}

impl Runtime for Custom {
    fn start<'a>(&'a self, start: &'a Start<'a>) -> BoxFuture<'a, Result<Live, StartFailure>> {
        Box::pin(self.start_server(start))
    }
}

/// The default command, if it is there and executable.
fn bootstrap(code_dir: &Path) -> Result<std::path::PathBuf, StartFailure> {
    let path = code_dir.join("bootstrap");
    let metadata = std::fs::metadata(&path).map_err(|_| {
        StartFailure::not_started(
            "the custom runtime has no file 'bootstrap' in its code package, and no command",
        )
    })?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return Err(StartFailure::not_started(
            "the file 'bootstrap' of the custom runtime is not executable: set its exec bit in the zip",
        ));
    }
    Ok(path)
}

/// `/code/x` as it is called where the code really lies.
fn in_code_dir(part: &str, code_dir: &Path) -> String {
    match part.strip_prefix("/code/") {
        Some(rest) => code_dir.join(rest).to_string_lossy().into_owned(),
        None => part.to_owned(),
    }
}

/// Tries until the server accepts. Bounded by the start timeout of the instance.
async fn connect(start: &Start<'_>, address: SocketAddr) -> TcpStream {
    loop {
        match TcpStream::connect(address).await {
            Ok(stream) => return stream,
            Err(_not_yet) => start.clock.sleep(PROBE_INTERVAL).await,
        }
    }
}

#[cfg(test)]
mod tests;
