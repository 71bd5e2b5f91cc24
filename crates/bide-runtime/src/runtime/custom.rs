//! `custom` and `custom.debian*`: an HTTP server that the package brings (fc-behaviour 7.1 to 7.3).
//!
//! Owns the start command, the choice of the port and readiness; [`http`] speaks to the server once it listens. Without
//! a network namespace all instances share the ports of the machine: the function's own port is used when it is free,
//! any free one otherwise, and the code learns it from `FC_SERVER_PORT` and `FC_CUSTOM_LISTEN_PORT`. Code that insists
//! on its port can therefore have only one instance at a time. Ports are held in memory only.

mod http;

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpStream;

use super::{Live, Runtime, Start, StartFailure};
use crate::executor::BoxFuture;
use http::HttpChannel;

/// Time between two attempts to connect.
const PROBE_INTERVAL: Duration = Duration::from_millis(10);
/// Ports given when the function's own is not free. Below the range from which the kernel takes the ports of outgoing
/// connections, so that none is snatched away between the choice and the server's start.
const FALLBACK_PORTS: std::ops::Range<u16> = 20_000..30_000;
/// Where the search goes on. A static, because ports belong to the machine and not to one pool.
static NEXT_FALLBACK: AtomicU16 = AtomicU16::new(0);

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
        let port = self
            .ports
            .take(function.custom_port)
            .map_err(|error| StartFailure::System(format!("no free port for the custom runtime: {error}")))?;
        let number = port.number.to_string();
        let extra =
            vec![("FC_SERVER_PORT".to_owned(), number.clone()), ("FC_CUSTOM_LISTEN_PORT".to_owned(), number)];
        let launched = start.launch(argv, extra, None).await;
        let process = launched.map_err(|error| StartFailure::not_started(&super::with_causes(&error)))?;
        let handle = process.handle();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.number));
        let stream = tokio::select! {
            biased;
            exit = handle.exited() => {
                let how = exit.code.map_or_else(
                    || format!("signal {}", exit.signal.unwrap_or(0)),
                    |code| format!("exit code {code}"),
                );
                let message = format!("the custom runtime's process ended ({how}) before it listened on port {}", port.number);
                return Err(StartFailure::not_started(&message));
            }
            stream = connect(start, address) => stream,
        };
        let channel = HttpChannel::new(start, address, stream, port);
        Ok(Live { process, channel: Box::new(channel) })
    }
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

/// Ports given to instances of this server.
#[derive(Clone, Default)]
struct Ports {
    taken: Arc<Mutex<HashSet<u16>>>,
}

/// A port that no other instance is given while this lives.
pub(super) struct Port {
    number: u16,
    taken: Arc<Mutex<HashSet<u16>>>,
}

impl Ports {
    /// `preferred` if it is free (0: no preference), a fallback port otherwise.
    fn take(&self, preferred: u16) -> io::Result<Port> {
        if preferred != 0
            && let Ok(port) = self.try_take(preferred)
        {
            return Ok(port);
        }
        for _ in FALLBACK_PORTS {
            let offset = NEXT_FALLBACK.fetch_add(1, Ordering::Relaxed);
            let count = FALLBACK_PORTS.end - FALLBACK_PORTS.start;
            if let Ok(port) = self.try_take(FALLBACK_PORTS.start + offset % count) {
                return Ok(port);
            }
        }
        Err(io::ErrorKind::AddrInUse.into())
    }

    fn try_take(&self, number: u16) -> io::Result<Port> {
        let mut taken = self.taken.lock().expect("nothing panics while it holds the lock");
        if taken.contains(&number) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        // Bound to all interfaces, as the code itself will bind it, and freed at once.
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, number))?;
        taken.insert(number);
        Ok(Port { number, taken: Arc::clone(&self.taken) })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.taken.lock().expect("nothing panics while it holds the lock").remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
