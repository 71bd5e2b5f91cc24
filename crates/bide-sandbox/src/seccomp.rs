//! The system call filter: which calls a function may make, decided by `policy.toml` and enforced by the kernel.
//!
//! Owns the policy, its translation to programs for the kernel, and their installation. Never decides for a single
//! instance: there is one filter, built once when the supervisor starts. A filter cannot be taken off again and is
//! inherited by every child; it ends with the processes that have it.
//!
//! A call of another architecture's table (32-bit) ends the process with SIGSYS: so seccompiler makes its programs.

mod numbers;
mod policy;

use std::io;

use libc::sock_filter;
use seccompiler::{SeccompAction, SeccompFilter};

use policy::{Host, Policy, Processor};

const POLICY: &str = include_str!("seccomp/policy.toml");

/// Why the filter cannot be built. Only a broken policy file or an unknown processor can be the cause.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("the system call policy cannot be read")]
    Policy(#[from] toml::de::Error),
    #[error("the system call policy names '{0}', which is no system call of this processor")]
    UnknownCall(String),
    #[error("the conditions of the system call policy cannot be compiled")]
    Compile(#[from] seccompiler::BackendError),
    #[error("the system call policy is too long for a filter")]
    TooLong,
    #[error("no system call filter is known for this processor")]
    Processor,
}

/// The filter as programs for the kernel: by number, and by argument. Where both refuse, the one installed last answers.
#[derive(Clone, Debug)]
pub struct Filter {
    programs: [Vec<sock_filter>; 2],
}

impl Filter {
    /// Compiles the policy for the processor that this program was built for. `memory_counted`: the kernel bounds the memory
    /// of instances, also what lies in no process.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn build(memory_counted: bool) -> Result<Self, FilterError> {
        let processor = match std::env::consts::ARCH {
            "x86_64" => Processor::X86_64,
            "aarch64" => Processor::Aarch64,
            _ => return Err(FilterError::Processor),
        };
        let lacking = (!memory_counted).then_some(Host::MemoryUncounted);
        Self::compile(&Policy::parse(POLICY)?, processor, lacking)
    }

    fn compile(policy: &Policy, processor: Processor, lacking: Option<Host>) -> Result<Self, FilterError> {
        let by_number = numbers::program(&policy.by_number(processor, lacking)?, processor.audit_arch())?;
        let by_argument = SeccompFilter::new(
            policy.by_argument(processor)?,
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EPERM.unsigned_abs()),
            processor.target(),
        )?;
        let by_argument = seccompiler::BpfProgram::try_from(by_argument)?;
        let same =
            |it: &seccompiler::sock_filter| sock_filter { code: it.code, jt: it.jt, jf: it.jf, k: it.k };
        Ok(Self { programs: [by_number, by_argument.iter().map(same).collect()] })
    }

    /// Puts the calling thread and its future children under the filter. It must have `no_new_privs` set. Makes plain
    /// system calls and allocates nothing, so that it may run between fork and exec.
    ///
    /// # Errors
    /// The kernel's, without a filter or with the first program only.
    pub fn install(&self) -> io::Result<()> {
        self.programs.iter().try_for_each(|program| install(program))
    }

    /// The programs as arrays of `struct sock_filter` (linux/filter.h) in the order of installation, for a process that
    /// installs them by itself with `prctl(PR_SET_SECCOMP)`.
    pub fn to_bytes(&self) -> Vec<Vec<u8>> {
        let instructions = |program: &Vec<sock_filter>| {
            let bytes = program.iter().flat_map(|it| {
                let [a, b] = it.code.to_ne_bytes();
                let [c, d, e, f] = it.k.to_ne_bytes();
                [a, b, it.jt, it.jf, c, d, e, f]
            });
            bytes.collect()
        };
        self.programs.iter().map(instructions).collect()
    }
}

fn install(program: &[sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, whose length is right, and does not write to it.
    let result = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
