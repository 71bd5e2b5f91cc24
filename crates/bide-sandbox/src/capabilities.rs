//! Giving up privileges for good: all of them in an instance, most of them in the supervisor.
//!
//! Owns the order: what needs the privilege to give up privileges comes first. Nothing that the process or its children
//! execute later brings one back.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
};

/// Empties all five sets of the calling thread, locks its secure bits, and sets `no_new_privs`. Makes plain system calls
/// and allocates nothing, so that it may run between fork and exec.
///
/// # Errors
/// The kernel's, with some privileges given up; `EPERM` without `CAP_SETPCAP` in the thread's user namespace.
pub fn drop_all() -> io::Result<()> {
    set_capabilities_secure_bits(locked())?;
    drop_from_bounding_set(CapabilitySet::empty())?;
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_no_new_privs(true)?;
    Ok(())
}

/// What the supervisor needs for as long as it serves: to make namespaces and mounts, to give instances users and files of
/// their own, to see and end processes of other users, to enter control groups of root, and to pass descriptors whatever
/// number others of the same user have under way.
const OF_SUPERVISOR: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SYS_PTRACE)
    .union(CapabilitySet::SYS_RESOURCE);

/// Leaves the calling thread, as far as it has them, the capabilities of a supervisor that has set up what it needs; and
/// has changes of the user leave them to it.
///
/// # Errors
/// The kernel's, with some capabilities given up.
pub(crate) fn keep_those_of_supervisor() -> io::Result<()> {
    set_capabilities_secure_bits(CapabilitiesSecureBits::NO_SETUID_FIXUP)?;
    drop_from_bounding_set(OF_SUPERVISOR)?;
    clear_ambient_capability_set()?;
    let has = capabilities(None)?;
    let none = CapabilitySet::empty();
    let kept = CapabilitySets {
        effective: has.effective.intersection(OF_SUPERVISOR),
        permitted: has.permitted.intersection(OF_SUPERVISOR),
        inheritable: none,
    };
    Ok(set_capabilities(None, kept)?)
}

/// User 0 is nobody special, changing the user changes no capability, and no ambient capability can be raised
/// (capabilities(7), "The securebits flags"); none of it can be undone.
fn locked() -> CapabilitiesSecureBits {
    CapabilitiesSecureBits::NO_ROOT
        | CapabilitiesSecureBits::NO_ROOT_LOCKED
        | CapabilitiesSecureBits::NO_SETUID_FIXUP
        | CapabilitiesSecureBits::NO_SETUID_FIXUP_LOCKED
        | CapabilitiesSecureBits::KEEP_CAPS_LOCKED
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE
        | CapabilitiesSecureBits::NO_CAP_AMBIENT_RAISE_LOCKED
}

/// Removes capabilities by number, those that this program has no name for included.
fn drop_from_bounding_set(but: CapabilitySet) -> Result<(), Errno> {
    let all = (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number));
    for capability in all.filter(|capability| !but.contains(*capability)) {
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel has no more.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
