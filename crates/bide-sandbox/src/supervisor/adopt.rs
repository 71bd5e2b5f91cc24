//! Standbys: instances that wait to be told what they are for.
//!
//! A standby is an instance like any other, with everything that keeps it in: its program is one of ours that has been given
//! nothing yet and waits. Owns what is left to be decided ([`Waiting`]) and deciding it, once. The program is told by
//! whoever asked for it, over its control socket, when all of it is in force.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::process::Pid;
use rustix::system::sethostname;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::confinement::bounds;
use super::launch::Instance;
use crate::protocol::{During, Fault, Late};
use crate::rootfs::Parts;
use crate::rootfs::slot::Slot;
use crate::rootfs::template::Templates;
use crate::spec::Limits;

/// What an instance still waits for.
pub(super) struct Waiting {
    slots: Vec<(CString, Slot)>,
    limits: Limits,
    host_name: OwnedFd,
}

/// Makes the slots of a standby; the other ends are added to its root.
pub(super) fn make_slots(
    templates: &mut Templates,
    targets: Vec<CString>,
    parts: &mut Parts,
) -> Result<Vec<(CString, Slot)>, Fault> {
    let slots = targets.into_iter().map(|target| {
        let (slot, other) = templates.make_slot()?;
        parts.add(other, &target);
        Ok((target, slot))
    });
    slots.collect::<io::Result<_>>().during("make a slot")
}

impl Instance {
    /// Makes a standby what it is to be, once. After a fault it is neither one thing nor the other, and must end.
    pub(super) fn adopt(&mut self, late: &Late) -> Result<(), Fault> {
        let waiting = self.waiting.take().ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL));
        waiting.during("find what is left to be decided")?.adopt(self, late)
    }
}

impl Waiting {
    /// `init` must be a child that has not been let go: later it can no longer be looked into.
    pub(super) fn new(slots: Vec<(CString, Slot)>, limits: Limits, init: Pid) -> io::Result<Self> {
        Ok(Self { slots, limits, host_name: host_name_of(&init.as_raw_nonzero().to_string())? })
    }

    fn adopt(mut self, instance: &mut Instance, late: &Late) -> Result<(), Fault> {
        self.limits.memory_bytes_max = late.memory_bytes_max;
        self.limits.cpu_millis = late.cpu_millis;
        instance.group.bound(&bounds(&self.limits)).during("set limits")?;
        instance.memory_bytes_max = late.memory_bytes_max;
        for mount in &late.mounts {
            let slot = self.slots.iter_mut().find(|(target, _)| *target == mount.target);
            let slot = slot.filter(|_| !mount.writable).ok_or(io::Error::from(io::ErrorKind::InvalidInput));
            let (_, slot) = slot.during("find the slot")?;
            slot.fill(&mount.source).during(&format!("show {}", mount.source.to_string_lossy()))?;
        }
        self.set_host_name(&late.hostname).during("set the host name")
    }

    /// The supervisor goes there and back: what may set the name is in no process of the instance.
    fn set_host_name(&self, name: &CString) -> io::Result<()> {
        let own = host_name_of("self")?;
        let kind = Some(LinkNameSpaceType::HostNameAndNISDomainName);
        move_into_link_name_space(self.host_name.as_fd(), kind)?;
        let set = sethostname(name.to_bytes());
        move_into_link_name_space(own.as_fd(), kind)?;
        Ok(set?)
    }
}

/// The namespace of a process that holds its host name.
fn host_name_of(process: &str) -> io::Result<OwnedFd> {
    Ok(File::open(format!("/proc/{process}/ns/uts"))?.into())
}
