//! What callers ask for, in the form in which it travels.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::protocol::{Bind, Late, Launch};
use crate::{Access, Adoption, LaunchSpec, Mount};

/// # Errors
/// `InvalidInput` if a text has a NUL.
pub(super) fn launch(spec: LaunchSpec, has_control: bool, slots: Option<&[PathBuf]>) -> io::Result<Launch> {
    let pair = |(name, value): &(OsString, OsString)| {
        CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).map_err(io::Error::from)
    };
    let all = |slots: &[PathBuf]| slots.iter().map(|slot| text(slot.as_os_str())).collect::<io::Result<_>>();
    Ok(Launch {
        argv: spec.argv.iter().map(|part| text(part)).collect::<io::Result<_>>()?,
        env: spec.env.iter().map(pair).collect::<io::Result<_>>()?,
        working_dir: text(spec.working_dir.as_os_str())?,
        has_control,
        hostname: text(OsStr::new(&spec.hostname))?,
        mounts: binds(&spec.mounts)?,
        network: spec.network,
        limits: spec.limits,
        slots: slots.map(all).transpose()?,
    })
}

/// # Errors
/// `InvalidInput` if a text has a NUL.
pub(super) fn late(adoption: &Adoption) -> io::Result<Late> {
    Ok(Late {
        mounts: binds(&adoption.mounts)?,
        hostname: text(OsStr::new(&adoption.hostname))?,
        memory_bytes_max: adoption.memory_bytes_max,
        cpu_millis: adoption.cpu_millis,
    })
}

fn binds(mounts: &[Mount]) -> io::Result<Vec<Bind>> {
    let bind = |mount: &Mount| {
        let (source, target) = (text(mount.source.as_os_str())?, text(mount.target.as_os_str())?);
        Ok(Bind { source, target, writable: mount.access == Access::ReadWrite })
    };
    mounts.iter().map(bind).collect()
}

fn text(text: &OsStr) -> io::Result<CString> {
    CString::new(text.as_bytes()).map_err(io::Error::from)
}
