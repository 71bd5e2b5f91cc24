//! A running process and the promise that it ends, whatever started it.
//!
//! Owns what callers hold. How a process is signalled and reached is its backend's ([`Control`]).

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;

use rustix::process::Signal;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::memory::MemoryGauge;

/// How a process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exit {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    /// Ended because it, and all that it started, held more memory than they may.
    pub out_of_memory: bool,
}

impl Exit {
    /// Whether anybody saw how it ended. Otherwise the launcher's own processes ended, and took it along.
    pub fn is_known(&self) -> bool {
        self.code.is_some() || self.signal.is_some()
    }
}

/// A process that ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    handle: ProcessHandle,
    output: Option<OwnedFd>,
}

/// Watches and signals a [`Process`]; does not keep it alive.
#[derive(Clone, Debug)]
pub struct ProcessHandle {
    shared: Arc<Shared>,
}

/// A future that opens a connection.
pub(crate) type Connecting<'a> = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send + 'a>>;

/// What differs between backends.
pub(crate) trait Control: fmt::Debug + Send + Sync {
    /// Sends a signal to the process and all that it started, unless it has ended.
    fn signal(&self, signal: Signal);

    /// Keeps the process and all that it started from running.
    fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Opens a connection to a port that the process listens on.
    fn connect(&self, port: u16) -> Connecting<'_> {
        Box::pin(TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))))
    }

    /// The same for a port that it is going to listen on: whoever can waits for that.
    fn connect_to_listener(&self, port: u16) -> Connecting<'_> {
        self.connect(port)
    }
}

#[derive(Debug)]
struct Shared {
    pid: u32,
    memory: MemoryGauge,
    exit: watch::Sender<Option<Exit>>,
    control: Box<dyn Control>,
}

impl Process {
    /// `output` is the reading end of its outputs; `pid` its number in the server's namespace, 0 if unknown.
    pub(crate) fn new(pid: u32, output: OwnedFd, control: Box<dyn Control>) -> Self {
        let memory = MemoryGauge::open(pid);
        let shared = Arc::new(Shared { pid, memory, exit: watch::Sender::new(None), control });
        Self { handle: ProcessHandle { shared }, output: Some(output) }
    }

    pub fn handle(&self) -> ProcessHandle {
        self.handle.clone()
    }

    /// The reading end of standard output and standard error, in non-blocking mode; `None` the second time.
    pub fn take_output(&mut self) -> Option<OwnedFd> {
        self.output.take()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.handle.kill();
    }
}

impl ProcessHandle {
    /// Its number in the server's namespace, to be shown; 0 if unknown.
    pub fn pid(&self) -> u32 {
        self.shared.pid
    }

    /// Asks it and all that it started to end (SIGTERM).
    pub fn terminate(&self) {
        self.shared.control.signal(Signal::TERM);
    }

    /// Ends it and all that it started (SIGKILL).
    pub fn kill(&self) {
        self.shared.control.signal(Signal::KILL);
    }

    /// Keeps the process and all that it started from running until [`ProcessHandle::thaw`]. A kill ends it all the same.
    pub fn freeze(&self) {
        self.shared.control.freeze();
    }

    pub fn thaw(&self) {
        self.shared.control.thaw();
    }

    pub fn has_exited(&self) -> bool {
        self.shared.exit.borrow().is_some()
    }

    /// Resolves when the process is reaped and what it started is killed.
    pub async fn exited(&self) -> Exit {
        let mut exits = self.shared.exit.subscribe();
        let exit = exits.wait_for(Option::is_some).await.expect("the sender lives in `self`");
        exit.expect("waited for")
    }

    /// Opens a TCP connection to a port that it listens on.
    ///
    /// # Errors
    /// The kernel's; `ConnectionRefused` while nobody listens.
    pub async fn connect(&self, port: u16) -> io::Result<TcpStream> {
        self.shared.control.connect(port).await
    }

    /// Opens a TCP connection to a port that it is going to listen on. In a sandbox this waits until it does; plain processes
    /// are to be asked again, see [`crate::probe_pause`].
    ///
    /// # Errors
    /// The kernel's; `ConnectionRefused` while nobody listens, and when the process has ended.
    pub async fn connect_to_listener(&self, port: u16) -> io::Result<TcpStream> {
        self.shared.control.connect_to_listener(port).await
    }

    /// Highest resident memory so far, in bytes; 0 if unknown.
    pub fn memory_peak_bytes(&self) -> u64 {
        self.shared.memory.peak_bytes()
    }

    /// It, or all that it started together, was seen to hold so much.
    pub(crate) fn note_memory(&self, bytes: u64) {
        self.shared.memory.note(bytes);
    }

    /// The process is gone, and `exit` is how.
    pub(crate) fn note_exit(&self, exit: Exit) {
        self.shared.exit.send_replace(Some(exit));
    }
}
