//! Making one instance: what the supervisor does before and right after it clones process 1.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::SocketFlags;
use rustix::process::{Pid, Signal, pidfd_send_signal};

use super::adopt::{Waiting, make_slots};
use super::serve::Host;
use crate::cgroup::InstanceCgroup;
use crate::identity::Identity;
use crate::init::Room;
use crate::network::{Attachment, Families, Outbound, Surroundings};
use crate::protocol::{self, During, Fault, Launch};
use crate::rootfs::Parts;
use crate::seccomp::Filter;
use crate::spec::Network;
use crate::sys::{self, Cloned};

/// Namespaces of an instance. The one of control groups follows when it has been put into its group.
const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWNET;

/// An instance whose process 1 exists.
pub(super) struct Instance {
    pub(super) init: Pid,
    pub(super) descriptor: OwnedFd,
    /// From process 1.
    pub(super) status: OwnedFd,
    /// The server's end, until it is handed over.
    pub(super) connector: Option<OwnedFd>,
    pub(super) identity: Identity,
    /// The address families in which it may reach others.
    pub(super) families: Families,
    /// Its way to other hosts, once process 1 has prepared it.
    pub(super) attachment: Option<Attachment>,
    pub(super) group: InstanceCgroup,
    pub(super) memory_bytes_max: Option<u64>,
    /// If it is a standby that nobody has adopted.
    pub(super) waiting: Option<Waiting>,
}

impl Instance {
    /// Has the kernel end everything in it; its end is seen as every other.
    pub(super) fn end(&self) {
        // Fails only when it has ended.
        let _ = pidfd_send_signal(&self.descriptor, Signal::KILL);
    }
}

impl Host {
    /// Clones process 1 and lets it go. On failure nothing is left.
    pub(super) fn launch(
        &mut self,
        id: u64,
        mut launch: Box<Launch>,
        descriptors: Vec<OwnedFd>,
    ) -> Result<Instance, Fault> {
        launch.limits.open_files_max = launch.limits.open_files_max.min(self.open_files_max);
        let mut descriptors = descriptors.into_iter();
        let mut take = || descriptors.next().ok_or_else(protocol::lacks_descriptors);
        let output = take().during("take the outputs")?;
        let control = launch.has_control.then(take).transpose().during("take the control socket")?;
        let targets = launch.slots.take();
        let root = self.templates.copy(&launch.mounts, targets.as_deref().unwrap_or_default())?;
        let mut parts = Parts::collect(root, &launch.mounts)?;
        let slots =
            targets.map(|targets| make_slots(&mut self.templates, targets, &mut parts)).transpose()?;
        let surroundings = self.surroundings(launch.network)?;
        let families = surroundings.as_ref().map_or(Families::NONE, Surroundings::families);
        let (status, their_status) = protocol::pair(SocketFlags::empty()).during("make a socket")?;
        let (connector, their_connector) = protocol::pair(SocketFlags::empty()).during("make a socket")?;
        let group = self.confinement.group(id, &launch.limits)?;
        let entry = group.entry().during("open the control group")?;
        let limits = launch.limits;
        let identity = self.identities.take().ok_or(io::Error::from_raw_os_error(libc::EAGAIN));
        let identity = identity.during("find a free user id")?;
        let room = Room {
            launch,
            parts,
            attach_point: self.templates.attach_point(),
            privileged: self.privileged,
            status: their_status,
            connector: their_connector,
            output,
            control,
            surroundings,
            entry,
        };
        let made = clone_init(room, identity, &status, &self.confinement.filter, |init| {
            slots.map(|slots| Waiting::new(slots, limits, init)).transpose()
        });
        if made.is_err() {
            self.identities.give_back(identity);
        }
        let (init, descriptor, waiting) = made?;
        Ok(Instance {
            init,
            descriptor,
            status,
            connector: Some(connector),
            identity,
            families,
            attachment: None,
            group,
            memory_bytes_max: limits.memory_bytes_max,
            waiting,
        })
    }

    /// What process 1 must know of the host's network; `None`: it gets loopback only.
    fn surroundings(&mut self, network: Network) -> Result<Option<Surroundings>, Fault> {
        match (network, &self.outbound) {
            (Network::Outbound, Outbound::Pasta(_)) => {
                self.lookout.look().during("look at the host's network").map(Some)
            }
            _ => Ok(None),
        }
    }
}

/// When the host runs out of memory, instances go before the server: 500 of 1000 counts as half of all memory more than
/// they hold (proc(5), `oom_score_adj`).
const OUT_OF_MEMORY_SCORE: &str = "500";

/// Set from outside, so that nothing inside can lower it again where the supervisor is root.
fn give_score(init: Pid) {
    // Refused to an ordinary user whose server has a higher one already: that is as good.
    let _ = std::fs::write(format!("/proc/{}/oom_score_adj", init.as_raw_nonzero()), OUT_OF_MEMORY_SCORE);
}

fn clone_init(
    room: Room,
    identity: Identity,
    status: &OwnedFd,
    filter: &Filter,
    meanwhile: impl FnOnce(Pid) -> io::Result<Option<Waiting>>,
) -> Result<(Pid, OwnedFd, Option<Waiting>), Fault> {
    if let Identity::Own(id) = identity {
        let (user, group) = (rustix::process::Uid::from_raw(id), rustix::process::Gid::from_raw(id));
        // So that the program can open its outputs by name (/dev/stdout).
        rustix::fs::fchown(&room.output, Some(user), Some(group)).during("give the outputs away")?;
    }
    // Where the kernel can, process 1 is born in its group of version 2.
    let mut is_born_inside = false;
    let clone = || {
        let born = room.entry.birthplace().and_then(|group| sys::clone_into(NAMESPACES, group).ok());
        is_born_inside = born.is_some();
        born.map_or_else(|| sys::clone(NAMESPACES), Ok)
    };
    match identity.make(clone).during("clone process 1")? {
        Cloned::Child => room.run(is_born_inside, filter),
        Cloned::Parent(init, descriptor) => {
            give_score(init);
            let let_go = || {
                identity.map(init).during("map the identity")?;
                let waiting = meanwhile(init).during("find the host name")?;
                protocol::send_bytes(status.as_fd(), &[1], &[]).during("let process 1 go")?;
                Ok(waiting)
            };
            let waiting = let_go().inspect_err(|_| {
                // It still waits, and ends with its namespace. Reaped like every other child.
                let _ = pidfd_send_signal(&descriptor, Signal::KILL);
            })?;
            Ok((init, descriptor, waiting))
        }
    }
}
