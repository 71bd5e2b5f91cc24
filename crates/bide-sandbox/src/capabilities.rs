//! Giving up every privilege for good.
//!
//! Owns the order: what needs the privilege to give up privileges comes first. Nothing that the process or its children
//! execute later brings one back.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_capabilities_secure_bits, set_no_new_privs,
};

/// Empties all five sets of the calling thread, locks its secure bits, and sets `no_new_privs`. Makes plain system calls
/// and allocates nothing, so that it may run between fork and exec.
///
/// # Errors
/// The kernel's, with some privileges given up; `EPERM` without `CAP_SETPCAP` in the thread's user namespace.
pub fn drop_all() -> io::Result<()> {
    set_capabilities_secure_bits(locked())?;
    empty_bounding_set()?;
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_no_new_privs(true)?;
    Ok(())
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
fn empty_bounding_set() -> Result<(), Errno> {
    for number in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << number)) {
            Ok(()) => {}
            // The kernel has no more.
            Err(Errno::INVAL) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
