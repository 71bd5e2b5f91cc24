//! The supervisor's loop: launches for the server, ends of instances.
//!
//! Owns the table of instances. An instance leaves it when its process 1 is reaped; by then the kernel has killed
//! everything in it.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll;
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, wait};

use super::confinement::Confinement;
use super::launch::Instance;
use super::look::{Look, Memory};
use super::undertaker::Undertaker;
use crate::capabilities;
use crate::identity::Identities;
use crate::network::{Attachment, Lookout, Outbound, Trap};
use crate::protocol::{self, During, End, Fault, InitReport, Late, MESSAGE_BYTES_MAX, Report, Request};
use crate::rootfs::template::Templates;
use crate::sys;

/// Most instances of one supervisor; each costs it two descriptors.
const INSTANCES_MAX: usize = 16 * 1024;
/// Events handled per turn.
const EVENTS_MAX: usize = 64;
/// Launches read per turn, so that ends are not kept waiting.
const REQUESTS_PER_TURN: usize = 8;
/// Tokens of the descriptors that belong to no instance.
const SERVER: u64 = u64::MAX;
const SIGNALS: u64 = u64::MAX - 1;
const LOOK: u64 = u64::MAX - 2;
/// Added to the number of an instance: the token of its [`Attachment`].
const ATTACHMENT: u64 = 1 << 63;

/// What launches need.
pub(super) struct Host {
    pub(super) privileged: bool,
    pub(super) identities: Identities,
    pub(super) templates: Templates,
    pub(super) outbound: Outbound,
    pub(super) lookout: Lookout,
    pub(super) confinement: Confinement,
    /// Most descriptors of an instance.
    pub(super) open_files_max: u64,
}

/// Serves until the server is gone.
pub(super) fn run(server: &OwnedFd, privileged: bool, confinement: Confinement) -> Result<(), Fault> {
    let descriptors_max = sys::raise_descriptor_limit().during("raise the limit on descriptors")?;
    // Descriptors that are under way in sockets are counted by user, and nobody may send any while there are more than its
    // own limit: instances that share the server's user must stay well below that. The server raises its own likewise.
    let open_files_max = if privileged { descriptors_max } else { descriptors_max / 2 };
    let signals = sys::signals(&[libc::SIGCHLD]).during("block signals")?;
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).during("make an epoll instance")?;
    let confined = confinement.describe();
    let (identities, outbound) = (Identities::new(privileged), Outbound::detect());
    let ready = Report::Ready { privileged, confined, outbound: outbound.clone() };
    let undertaker = Undertaker::start().during("start the undertaker")?;
    let (templates, lookout) = (Templates::new()?, Lookout::new());
    let host = Host { privileged, identities, templates, confinement, outbound, lookout, open_files_max };
    let look = Look::new().during("make a timer")?;
    rustix::io::ioctl_fionbio(server, true).during("set up the socket")?;
    for (fd, token) in [(server, SERVER), (&signals, SIGNALS), (&look.timer, LOOK)] {
        watch(&epoll, fd, token).during("watch the server")?;
    }
    let mut supervisor = Supervisor {
        server,
        signals,
        epoll,
        host,
        undertaker,
        look,
        instances: HashMap::new(),
        by_init: HashMap::new(),
        unsent: VecDeque::new(),
        buffer: vec![0; MESSAGE_BYTES_MAX],
    };
    // In a user namespace of its own it has none over the host.
    if privileged {
        capabilities::keep_those_of_supervisor().during("give up privileges")?;
    }
    supervisor.report(&ready, Vec::new());
    supervisor.serve().during("serve")
}

struct Supervisor<'a> {
    server: &'a OwnedFd,
    signals: OwnedFd,
    epoll: OwnedFd,
    host: Host,
    undertaker: Undertaker,
    look: Look,
    instances: HashMap<u64, Entry>,
    by_init: HashMap<Pid, u64>,
    /// What the server has not taken yet: at most three messages per instance and one per failed launch.
    unsent: VecDeque<(Vec<u8>, Vec<OwnedFd>)>,
    buffer: Vec<u8>,
}

struct Entry {
    instance: Instance,
    state: State,
    memory: Memory,
}

/// How far an instance is.
enum State {
    Starting,
    Running,
    /// The program has ended.
    Ended {
        status: i32,
    },
    /// It did not start, and the server has been told.
    Failed,
}

impl Supervisor<'_> {
    fn serve(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let (token, flags) = (event.data.u64(), event.flags);
                match token {
                    SERVER => {
                        if flags.contains(epoll::EventFlags::OUT) {
                            self.send_unsent()?;
                        }
                        if !self.take_requests()? {
                            return Ok(());
                        }
                    }
                    SIGNALS => self.reap()?,
                    LOOK => self.look()?,
                    token if token & ATTACHMENT != 0 => self.attach(token & !ATTACHMENT)?,
                    id => self.hear(id)?,
                }
            }
        }
    }

    /// Reads what the server asks for; `false` when it is gone.
    fn take_requests(&mut self) -> io::Result<bool> {
        for _ in 0..REQUESTS_PER_TURN {
            match protocol::receive::<Request>(self.server, &mut self.buffer) {
                Ok(Some((Request::Adopt { id, late }, _))) => self.adopt(id, &late)?,
                Ok(Some((Request::Launch { id, launch }, descriptors))) => {
                    let launched = if self.instances.len() < INSTANCES_MAX {
                        self.host.launch(id, launch, descriptors)
                    } else {
                        Err(io::Error::from_raw_os_error(libc::EAGAIN)).during("hold another instance")
                    };
                    match launched {
                        Ok(instance) => self.admit(id, instance)?,
                        Err(fault) => self.report(&Report::Failed { id, fault }, Vec::new()),
                    }
                }
                Ok(None) => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn admit(&mut self, id: u64, instance: Instance) -> io::Result<()> {
        watch(&self.epoll, &instance.status, id)?;
        self.by_init.insert(instance.init, id);
        let waits = instance.waiting.is_some();
        self.instances.insert(id, Entry { instance, state: State::Starting, memory: Memory::default() });
        if waits { Ok(()) } else { self.look.arm(self.instances.len()) }
    }

    /// Decides what a standby is for. One that is gone has been reported, or will be.
    fn adopt(&mut self, id: u64, late: &Late) -> io::Result<()> {
        let Some(entry) = self.instances.get_mut(&id) else { return Ok(()) };
        let adopted = entry.instance.adopt(late);
        self.report(&Report::Adopted { id, fault: adopted.err() }, Vec::new());
        self.look.arm(self.instances.len())
    }

    /// Reads what process 1 of an instance says.
    fn hear(&mut self, id: u64) -> io::Result<()> {
        let Some(entry) = self.instances.get_mut(&id) else { return Ok(()) };
        let heard = listen(&entry.instance.status, &mut self.buffer).unwrap_or_else(|_| {
            // Whatever is wrong with one instance is the end of that one only.
            entry.instance.end();
            None
        });
        match heard {
            Some((InitReport::Trap, descriptors)) => {
                // What could be done when it was launched may have turned out impossible since: then nobody keeps the trap.
                if let Some(trap) = Trap::from_fds(descriptors)
                    && let Outbound::Pasta(program) = &self.host.outbound
                {
                    let instance = &mut entry.instance;
                    let attachment = Attachment::new(program.clone(), instance.init, instance.families, trap);
                    watch_attachment(&self.epoll, &attachment, id)?;
                    instance.attachment = Some(attachment);
                }
            }
            Some((InitReport::NoWayOut(fault), _)) => {
                let error = io::Error::from_raw_os_error(fault.errno);
                // Standard error is the server's. Said once: nobody tries again.
                eprintln!("bide: outbound network: not available; functions reach loopback only: {error}");
                self.host.outbound = Outbound::Unavailable(error.to_string());
            }
            Some((InitReport::Started, mut program)) => {
                let Ok(init) = entry.instance.descriptor.try_clone() else {
                    entry.instance.end();
                    return Ok(());
                };
                entry.state = State::Running;
                if entry.instance.group.memory_now().is_none() {
                    self.look.note_program(&mut entry.memory, program.first().and_then(sys::number_of));
                }
                let mut descriptors = vec![init];
                descriptors.append(&mut program);
                descriptors.extend(entry.instance.connector.take());
                self.report(&Report::Started { id }, descriptors);
            }
            Some((InitReport::Failed(fault), _)) => {
                entry.state = State::Failed;
                self.report(&Report::Failed { id, fault }, Vec::new());
            }
            Some((InitReport::Ended { status }, _)) => entry.state = State::Ended { status },
            // It ends; `reap` does the rest.
            None => epoll::delete(&self.epoll, &entry.instance.status)?,
        }
        Ok(())
    }

    /// Goes on with the way out of an instance.
    fn attach(&mut self, id: u64) -> io::Result<()> {
        let Some(entry) = self.instances.get_mut(&id) else { return Ok(()) };
        let Some(attachment) = &mut entry.instance.attachment else { return Ok(()) };
        if let Some(fd) = attachment.fd() {
            epoll::delete(&self.epoll, fd)?;
        }
        if let Err(error) = attachment.advance() {
            // Standard error is the server's.
            eprintln!("bide: an instance has no outbound network: {error}");
        }
        if let Some(trap) = attachment.take_trap() {
            self.undertaker.bury(trap.into_fds());
        }
        watch_attachment(&self.epoll, attachment, id)
    }

    /// Removes the children that have ended, and what they leave to process 1 of this namespace.
    fn reap(&mut self) -> io::Result<()> {
        let mut siginfo = [0_u8; size_of::<libc::signalfd_siginfo>()];
        while rustix::io::read(&self.signals, &mut siginfo[..]).is_ok() {}
        while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
            if let Some(id) = self.by_init.remove(&pid) {
                self.ended(id)?;
            }
        }
        Ok(())
    }

    /// Process 1 of an instance is gone, and everything else in it.
    fn ended(&mut self, id: u64) -> io::Result<()> {
        // Its last words may still be waiting.
        while self.instances.get(&id).is_some_and(|entry| has_message(&entry.instance.status)) {
            self.hear(id)?;
        }
        let Some(Entry { mut instance, state, memory }) = self.instances.remove(&id) else { return Ok(()) };
        // Its slots go before anybody hears that it is gone.
        instance.waiting = None;
        self.host.identities.give_back(instance.identity);
        if let Some(trap) = instance.attachment.take().and_then(Attachment::into_trap) {
            self.undertaker.bury(trap.into_fds());
        }
        let end = End {
            status: None,
            out_of_memory: memory.exceeded || instance.group.oom_kills() > 0,
            memory_peak_bytes: memory.peak_bytes,
        };
        let report = match state {
            State::Failed => return Ok(()),
            State::Starting => {
                let fault =
                    Fault { step: "process 1 was killed".to_owned(), errno: libc::ECHILD, program: false };
                Report::Failed { id, fault }
            }
            State::Running => Report::Exited { id, end },
            State::Ended { status } => Report::Exited { id, end: End { status: Some(status), ..end } },
        };
        self.report(&report, Vec::new());
        Ok(())
    }

    fn look(&mut self) -> io::Result<()> {
        self.look.begin();
        // In a standby nothing happens.
        let watched = self.instances.values_mut().filter(|entry| entry.instance.waiting.is_none());
        let mut watched: Vec<_> = watched.collect();
        let usage = self.look.usage(watched.iter().map(|entry| &entry.memory));
        for entry in &mut watched {
            self.look.judge(&entry.instance, &mut entry.memory, &usage);
        }
        let count = watched.len();
        self.host.confinement.cgroups.tidy();
        if count == 0 { Ok(()) } else { self.look.arm(count) }
    }

    /// Tells the server, now or when it listens again.
    fn report(&mut self, report: &Report, descriptors: Vec<OwnedFd>) {
        // Every report is far smaller than a message may be.
        let Ok(bytes) = protocol::encode(report) else { return };
        self.unsent.push_back((bytes, descriptors));
        // A server that is gone is seen by `take_requests`.
        let _ = self.send_unsent();
    }

    fn send_unsent(&mut self) -> io::Result<()> {
        let mut flags = epoll::EventFlags::IN;
        while let Some((bytes, descriptors)) = self.unsent.front() {
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            match protocol::send_bytes(self.server.as_fd(), bytes, &descriptors) {
                Ok(()) => {
                    self.unsent.pop_front();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flags |= epoll::EventFlags::OUT;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        epoll::modify(&self.epoll, self.server, epoll::EventData::new_u64(SERVER), flags)?;
        Ok(())
    }
}

/// Has the loop told, under `token`, when there is something to read.
fn watch(epoll: &OwnedFd, fd: impl AsFd, token: u64) -> io::Result<()> {
    epoll::add(epoll, fd, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
    Ok(())
}

/// Waits for what the attachment of an instance waits for.
fn watch_attachment(epoll: &OwnedFd, attachment: &Attachment, id: u64) -> io::Result<()> {
    attachment.fd().map_or(Ok(()), |fd| watch(epoll, fd, id | ATTACHMENT))
}

/// What process 1 of an instance says next; `None` if it has ended.
fn listen(socket: &OwnedFd, buffer: &mut [u8]) -> io::Result<Option<(InitReport, Vec<OwnedFd>)>> {
    unless_reset(|| protocol::receive(socket, buffer))
}

/// Whether a message, and not the end, can be read at once.
fn has_message(socket: &OwnedFd) -> bool {
    let flags = rustix::net::RecvFlags::PEEK | rustix::net::RecvFlags::DONTWAIT;
    let peek = || Ok(rustix::net::recv(socket, &mut [0_u8; 1][..], flags)?);
    unless_reset(peek).is_ok_and(|(read, _)| read > 0)
}

/// Reads once more after the kernel said, once, that the other side ended before it read all that it was sent: what it
/// said itself comes after that.
fn unless_reset<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    match read() {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => read(),
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use rustix::net::SocketFlags;

    use super::*;

    #[test]
    fn the_last_words_of_who_ended_without_listening_are_heard() {
        let (ours, theirs) = protocol::pair(SocketFlags::empty()).expect("a pair");
        protocol::send_bytes(ours.as_fd(), &[1], &[]).expect("sent");
        let fault = Fault { step: "enter".to_owned(), errno: 1, program: false };
        protocol::send(&theirs, &InitReport::Failed(fault), &[]).expect("sent");
        drop(theirs);
        assert!(has_message(&ours));
        let (ours, theirs) = protocol::pair(SocketFlags::empty()).expect("a pair");
        protocol::send_bytes(ours.as_fd(), &[1], &[]).expect("sent");
        protocol::send(&theirs, &InitReport::Trap, &[]).expect("sent");
        drop(theirs);
        let mut buffer = [0; 64];
        assert!(matches!(listen(&ours, &mut buffer), Ok(Some((InitReport::Trap, _)))));
        assert!(matches!(listen(&ours, &mut buffer), Ok(None)));
        assert!(!has_message(&ours));
    }
}
