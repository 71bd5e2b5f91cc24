//! Making the room: identity, names, root, network; and giving up what that needed.
//!
//! Runs in process 1 before any user code.

use rustix::process::{Gid, Uid};
use rustix::system::sethostname;
use rustix::thread::{
    CapabilitySet, CapabilitySets, UnshareFlags, clear_ambient_capability_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
};

use super::{Room, loopback};
use crate::identity::INNER_ID;
use crate::protocol::{During, Fault};
use crate::rootfs::enter;
use crate::sys;

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
    enter::enter(&room.parts, &room.attach_point, room.launch.limits.tmp_bytes_max)?;
    loopback::bring_up().during("bring the loopback interface up")
}

/// Gives up every capability, for good.
pub(super) fn seal() -> std::io::Result<()> {
    let none = CapabilitySet::empty();
    clear_ambient_capability_set()?;
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_no_new_privs(true)?;
    Ok(())
}
