//! The namespaces of a test: an outside joined to the host by a virtual cable, and instances.

use std::cell::RefCell;
use std::io::{self, BufRead as _, BufReader, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use rustix::process::{Pid, Uid};
use rustix::thread::{UnshareFlags, set_thread_res_uid, unshare_unsafe};

use crate::network::{Surroundings, Trap, lay_trap};

/// A user of the host that nobody is.
const USER: u32 = 2_100_000_777;
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);

pub(super) fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What a server sends that is asked nothing, or why it cannot be reached.
pub(super) fn ask(target: SocketAddr) -> String {
    let answer = TcpStream::connect_timeout(&target, CONNECT_TIME_MAX).and_then(|mut stream| {
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    });
    answer.unwrap_or_else(|error| error.to_string())
}

/// Tells everybody who connects under which address it was reached.
pub(super) fn answer(listener: TcpListener) {
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = write!(stream, "hello from {}", stream.local_addr().unwrap().ip());
        }
    });
}

/// A thread whose network is the outside.
pub(super) struct Outside {
    addresses: Sender<Vec<SocketAddr>>,
    done: Receiver<()>,
}

impl Outside {
    /// Gives the calling thread a network of its own, joined to a new outside, which is its way to all others.
    pub(super) fn make() -> Self {
        let (addresses, wanted) = channel::<Vec<SocketAddr>>();
        let (tell, done) = channel();
        let (say, thread) = channel();
        std::thread::spawn(move || {
            own_network();
            say.send(rustix::thread::gettid().as_raw_nonzero()).unwrap();
            while let Ok(addresses) = wanted.recv() {
                serve(&addresses);
                tell.send(()).unwrap();
            }
        });
        own_network();
        ip("link add veth0 type veth peer name veth1");
        ip(&format!("link set veth1 netns {}", thread.recv().unwrap()));
        ip("link set veth0 up");
        ip("addr add 198.51.100.2/24 dev veth0");
        ip("-6 addr add 2001:db8::2/64 dev veth0 nodad");
        let outside = Self { addresses, done };
        outside.serve(&[]);
        ip("route add default via 198.51.100.1");
        ip("-6 route add default via 2001:db8::1");
        outside
    }

    /// Gives the outside these addresses, each with a server.
    pub(super) fn serve(&self, addresses: &[&str]) {
        self.addresses.send(addresses.iter().map(|address| address.parse().unwrap()).collect()).unwrap();
        self.done.recv().unwrap();
    }
}

fn serve(addresses: &[SocketAddr]) {
    ip("link set veth1 up");
    for address in addresses {
        ip(&format!("addr add {} dev veth1{}", net(address), if address.is_ipv6() { " nodad" } else { "" }));
        answer(TcpListener::bind(address).unwrap());
    }
}

fn net(address: &SocketAddr) -> String {
    format!("{}/{}", address.ip(), if address.is_ipv6() { 64 } else { 24 })
}

fn own_network() {
    // SAFETY: the flags concern neither memory nor descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWNET | UnshareFlags::NEWNS) }.unwrap();
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).unwrap();
    ip("link set lo up");
}

/// A process that behaves as process 1 of an instance, then as user code.
pub(super) struct Instance {
    pub(super) pid: Pid,
    said: RefCell<BufReader<io::PipeReader>>,
    go: io::PipeWriter,
}

impl Instance {
    /// One that has laid its trap and will connect to `targets` (or send a datagram), one each time it may go on.
    pub(super) fn make(surroundings: &Surroundings, targets: &[&str]) -> (Self, Trap) {
        let (mut said, say) = io::pipe().unwrap();
        let (hear, mut go) = io::pipe().unwrap();
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
        // SAFETY: the child never returns; the C library makes allocation usable after a fork.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            live(surroundings, targets, &theirs, say, hear);
            std::process::exit(0);
        }
        drop(say);
        said.read_exact(&mut [0]).unwrap();
        for map in ["uid_map", "gid_map"] {
            std::fs::write(format!("/proc/{pid}/{map}"), format!("1000 {USER} 1")).unwrap();
        }
        go.write_all(b"m").unwrap();
        let trap = Trap::from_fds(receive(&ours)).unwrap();
        let said = RefCell::new(BufReader::new(said));
        (Self { pid: Pid::from_raw(pid).unwrap(), said, go }, trap)
    }

    /// Lets it connect `times` times.
    pub(super) fn go_on(&self, times: usize) {
        (&self.go).write_all(&vec![b'g'; times]).unwrap();
    }

    /// What it saw, one line per target, when it is through.
    pub(super) fn report(&self) -> Vec<String> {
        let lines = (&mut *self.said.borrow_mut()).lines().map(Result::unwrap).collect();
        rustix::process::waitpid(Some(self.pid), rustix::process::WaitOptions::empty()).unwrap();
        lines
    }
}

fn live(
    surroundings: &Surroundings,
    targets: &[&str],
    supervisor: &OwnedFd,
    mut say: io::PipeWriter,
    mut hear: io::PipeReader,
) {
    // SAFETY: this process has one thread.
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER | UnshareFlags::NEWNET) }.unwrap();
    say.write_all(b"u").unwrap();
    hear.read_exact(&mut [0]).unwrap();
    let user = Uid::from_raw(1000);
    set_thread_res_uid(user, user, user).unwrap();
    send(supervisor, &lay_trap(surroundings).unwrap().unwrap().into_fds());
    for target in targets {
        hear.read_exact(&mut [0]).unwrap();
        let answer = match target.strip_prefix("datagram to ") {
            Some(target) => UdpSocket::bind("0.0.0.0:0")
                .and_then(|socket| socket.send_to(b"?", target))
                .map(|_| "sent".to_owned())
                .unwrap_or_else(|error| error.to_string()),
            None => ask(target.parse().unwrap()),
        };
        writeln!(say, "{answer}").unwrap();
    }
}

fn send(socket: &OwnedFd, fds: &[OwnedFd]) {
    let fds: Vec<_> = fds.iter().map(OwnedFd::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); 128];
    let mut buffer = SendAncillaryBuffer::new(&mut space);
    assert!(buffer.push(SendAncillaryMessage::ScmRights(&fds)));
    sendmsg(socket, &[IoSlice::new(b"f")], &mut buffer, SendFlags::empty()).unwrap();
}

fn receive(socket: &OwnedFd) -> Vec<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); 128];
    let mut buffer = RecvAncillaryBuffer::new(&mut space);
    recvmsg(socket, &mut [IoSliceMut::new(&mut [0])], &mut buffer, RecvFlags::empty()).unwrap();
    let fds = buffer.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    fds.flatten().collect()
}
