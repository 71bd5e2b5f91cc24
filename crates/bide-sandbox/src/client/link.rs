//! The connection to one supervisor.
//!
//! Owns the table of what was asked for and what runs, and the task that reads what the supervisor says. When the
//! supervisor is gone the table is emptied and everybody in it told; the link is then closed for good.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::room::Room;
use super::start;
use crate::protocol::{self, End, Fault, Late, Launch, MESSAGE_BYTES_MAX, Report, Request};
use crate::{Exit, LaunchError, Outbound, Process, ProcessHandle, Protections};

/// A supervisor that says nothing for so long never will.
const READY_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection. The supervisor ends when the last clone and the last instance are gone.
#[derive(Clone)]
pub(super) struct Link {
    shared: Arc<Shared>,
    _reader: Arc<StopOnDrop>,
}

struct Shared {
    socket: AsyncFd<OwnedFd>,
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    next: u64,
    closed: bool,
    entries: HashMap<u64, Entry>,
    /// Who waits for the adoption of a standby.
    adoptions: HashMap<u64, oneshot::Sender<Result<(), LaunchError>>>,
}

enum Entry {
    Starting(Starting),
    Running(ProcessHandle),
}

struct Starting {
    answer: oneshot::Sender<Result<Process, LaunchError>>,
    /// The reading end of the outputs.
    output: OwnedFd,
    program: String,
    link: Link,
}

/// Ends the task that reads.
struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Closes the link however reading ends, also with the runtime: entries hold the link, and would keep the supervisor.
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Link {
    /// Starts a supervisor; also says what contains its instances, and how they get out.
    pub(super) async fn start(program: &Path) -> Result<(Self, Protections, Outbound), LaunchError> {
        let failed = |step: &str, source| LaunchError::Sandbox { step: step.to_owned(), source };
        let socket =
            start::supervisor(program).await.map_err(|error| failed("start the supervisor", error))?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        // SAFETY: an `OwnedFd` keeps its descriptor open and the same until it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket, interest) }
            .map_err(|error| failed("watch the supervisor", error.into()))?;
        let shared = Arc::new(Shared { socket, table: Mutex::default() });
        let mut buffer = vec![0; MESSAGE_BYTES_MAX];
        let first = tokio::time::timeout(READY_TIMEOUT, shared.receive(&mut buffer)).await;
        let first = first.map_err(|_| failed("wait for the supervisor", io::ErrorKind::TimedOut.into()))?;
        let (protections, outbound) =
            match first.map_err(|error| failed("hear from the supervisor", error))? {
                Some((Report::Ready { privileged, confined, outbound }, _)) => {
                    (Protections::of_sandboxes(privileged, confined), outbound)
                }
                Some((Report::Unable(fault), _)) => return Err(in_error(fault, String::new())),
                _ => return Err(LaunchError::Closed),
            };
        let reader = tokio::spawn(Arc::clone(&shared).read(buffer));
        Ok((Self { shared, _reader: Arc::new(StopOnDrop(reader.abort_handle())) }, protections, outbound))
    }

    pub(super) fn is_closed(&self) -> bool {
        self.shared.table().closed
    }

    pub(super) async fn launch(
        &self,
        launch: Box<Launch>,
        control: Option<OwnedFd>,
        program: String,
    ) -> Result<(u64, Process), LaunchError> {
        let failed = |source| LaunchError::Spawn { program: program.clone(), source };
        let (reader, writer) = io::pipe().map_err(failed)?;
        rustix::io::ioctl_fionbio(&reader, true).map_err(|error| failed(error.into()))?;
        let (answer, answered) = oneshot::channel();
        let output = reader.into();
        let id =
            self.shared.enter(Starting { answer, output, program: program.clone(), link: self.clone() })?;
        let request = protocol::encode(&Request::Launch { id, launch }).map_err(failed);
        let sent = async {
            let descriptors: Vec<_> =
                std::iter::once(writer.as_fd()).chain(control.as_ref().map(AsFd::as_fd)).collect();
            self.shared.send(&request?, &descriptors).await.map_err(failed)
        };
        if let Err(error) = sent.await {
            self.shared.table().entries.remove(&id);
            return Err(error);
        }
        drop((writer, control));
        Ok((id, answered.await.map_err(|_| LaunchError::Closed)??))
    }

    /// Resolves when the standby is what it is to be; also says when it is gone.
    pub(super) async fn adopt(&self, id: u64, late: Box<Late>) -> Result<(), LaunchError> {
        let failed = |source| LaunchError::Sandbox { step: "adopt a standby".to_owned(), source };
        let request = protocol::encode(&Request::Adopt { id, late }).map_err(failed)?;
        let answered = self.shared.expect_adoption(id).ok_or(LaunchError::Gone)?;
        if let Err(error) = self.shared.send(&request, &[]).await {
            self.shared.table().adoptions.remove(&id);
            return Err(failed(error));
        }
        answered.await.unwrap_or(Err(LaunchError::Gone))
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().expect("nothing panics while it holds the lock")
    }

    fn enter(&self, starting: Starting) -> Result<u64, LaunchError> {
        let mut table = self.table();
        if table.closed {
            return Err(LaunchError::Closed);
        }
        let id = table.next;
        table.next += 1;
        table.entries.insert(id, Entry::Starting(starting));
        Ok(id)
    }

    /// `None` if the standby has ended.
    fn expect_adoption(&self, id: u64) -> Option<oneshot::Receiver<Result<(), LaunchError>>> {
        let mut table = self.table();
        if !table.entries.contains_key(&id) {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        table.adoptions.insert(id, answer);
        Some(answered)
    }

    async fn send(&self, bytes: &[u8], descriptors: &[std::os::fd::BorrowedFd<'_>]) -> io::Result<()> {
        let socket = &self.socket;
        socket
            .async_io(Interest::WRITABLE, |socket| protocol::send_bytes(socket.as_fd(), bytes, descriptors))
            .await
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<(Report, Vec<OwnedFd>)>> {
        self.socket.async_io(Interest::READABLE, |socket| protocol::receive(socket, buffer)).await
    }

    /// Reads until the supervisor is gone.
    async fn read(self: Arc<Self>, mut buffer: Vec<u8>) {
        let shared = CloseOnDrop(self);
        while let Ok(Some((report, descriptors))) = shared.0.receive(&mut buffer).await {
            shared.0.take(report, descriptors);
        }
    }

    /// Ends the supervisor, and tells everybody that nothing more will be heard.
    fn close(&self) {
        // Handles that outlive the link hold the socket. Fails only when the supervisor is gone.
        let _ = rustix::net::shutdown(self.socket.get_ref(), rustix::net::Shutdown::Both);
        let entries = {
            let mut table = self.table();
            table.closed = true;
            table.adoptions.clear();
            std::mem::take(&mut table.entries)
        };
        for entry in entries.into_values() {
            match entry {
                Entry::Starting(starting) => drop(starting.answer.send(Err(LaunchError::Closed))),
                Entry::Running(process) => process.note_exit(Exit::default()),
            }
        }
    }

    fn take(&self, report: Report, descriptors: Vec<OwnedFd>) {
        match report {
            Report::Started { id } => self.started(id, descriptors),
            Report::Failed { id, fault } => {
                if let Some(Entry::Starting(starting)) = self.table().entries.remove(&id) {
                    let _ = starting.answer.send(Err(in_error(fault, starting.program)));
                }
            }
            Report::Exited { id, end } => {
                let entry = {
                    let mut table = self.table();
                    // Whoever waits for its adoption is told that it is gone.
                    table.adoptions.remove(&id);
                    table.entries.remove(&id)
                };
                if let Some(Entry::Running(process)) = entry {
                    process.note_memory(end.memory_peak_bytes);
                    process.note_exit(exit_of(end));
                }
            }
            Report::Adopted { id, fault } => {
                if let Some(answer) = self.table().adoptions.remove(&id) {
                    let fault = fault.map(|fault| in_error(fault, String::new()));
                    drop(answer.send(fault.map_or(Ok(()), Err)));
                }
            }
            // Said once, and heard before.
            Report::Ready { .. } | Report::Unable(_) => {}
        }
    }

    fn started(&self, id: u64, descriptors: Vec<OwnedFd>) {
        let mut table = self.table();
        let Some(Entry::Starting(Starting { answer, output, program, link })) = table.entries.remove(&id)
        else {
            return;
        };
        match Room::new(descriptors, link) {
            Ok((pid, room)) => {
                let process = Process::new(pid, output, Box::new(room));
                table.entries.insert(id, Entry::Running(process.handle()));
                drop(table);
                // If nobody waits for it any more, it is dropped here, which kills it.
                drop(answer.send(Ok(process)));
            }
            Err(source) => drop(answer.send(Err(LaunchError::Spawn { program, source }))),
        }
    }
}

fn in_error(fault: Fault, program: String) -> LaunchError {
    let source = io::Error::from_raw_os_error(fault.errno);
    if fault.program {
        LaunchError::Spawn { program, source }
    } else {
        LaunchError::Sandbox { step: fault.step, source }
    }
}

fn exit_of(end: End) -> Exit {
    let Some(status) = end.status.map(ExitStatus::from_raw) else {
        return Exit { signal: Some(libc::SIGKILL), out_of_memory: end.out_of_memory, ..Exit::default() };
    };
    Exit { code: status.code(), signal: status.signal(), out_of_memory: end.out_of_memory }
}
