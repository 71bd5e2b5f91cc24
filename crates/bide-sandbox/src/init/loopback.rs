//! The loopback interface of a new network namespace, which the kernel makes but leaves down.

use std::ffi::{c_int, c_short};
use std::io;
use std::os::fd::AsRawFd;

use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

/// Needs `CAP_NET_ADMIN` in the namespace.
pub(super) fn bring_up() -> io::Result<()> {
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: `request` is a valid `ifreq` with a terminated name and outlives the call, which reads it.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(c"lo".to_bytes()) {
            *to = from.cast_signed();
        }
        request.ifr_ifru.ifru_flags = c_short::try_from(libc::IFF_UP).unwrap_or_default();
        let result: c_int = libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request);
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}
