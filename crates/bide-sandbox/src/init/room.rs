//! Making the room: identity, names, root, network; and giving up what that needed.
//!
//! Runs in process 1 before any user code.

use std::io;
use std::os::fd::AsFd;

use rustix::process::{Gid, Uid};
use rustix::system::sethostname;
use rustix::thread::{
    UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
};

use super::{Room, loopback, settings};
use crate::identity::INNER_ID;
use crate::network::lay_trap;
use crate::protocol::{self, During, Fault, InitReport};
use crate::rootfs::enter;
use crate::seccomp::Filter;
use crate::{capabilities, sys};

pub(super) fn make(room: &Room) -> Result<(), Fault> {
    let (user, group) = (Uid::from_raw(INNER_ID), Gid::from_raw(INNER_ID));
    if room.privileged {
        set_thread_groups(&[]).during("drop groups")?;
    }
    // User 0 does not exist here, so that this takes no capabilities away.
    set_thread_res_gid(group, group, group).during("become the instance's group")?;
    set_thread_res_uid(user, user, user).during("become the instance's user")?;
    sys::set_dumpable(false).during("close the memory to others")?;
    // SAFETY: this flag concerns neither memory nor descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWCGROUP) }.during("get a cgroup namespace")?;
    sethostname(room.launch.hostname.to_bytes()).during("set the host name")?;
    prepare_way_out(room).during("report on the way out")?;
    enter::enter(&room.parts, &room.attach_point, room.launch.limits.tmp_bytes_max)?;
    settings::apply()?;
    loopback::bring_up().during("bring the loopback interface up")
}

/// While the host's devices can still be opened.
fn prepare_way_out(room: &Room) -> io::Result<()> {
    let Some(surroundings) = &room.surroundings else { return Ok(()) };
    let descriptors = match lay_trap(surroundings).during("prepare the way out") {
        Ok(Some(trap)) => trap.into_fds(),
        Ok(None) => return Ok(()),
        Err(fault) => return protocol::send(&room.status, &InitReport::NoWayOut(fault), &[]),
    };
    let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
    protocol::send(&room.status, &InitReport::Trap, &descriptors)
}

/// Gives up every privilege, for good, and puts the process under the system call filter.
pub(super) fn seal(filter: &Filter) -> Result<(), Fault> {
    capabilities::drop_all().during("drop privileges")?;
    filter.install().during("install the system call filter")
}
