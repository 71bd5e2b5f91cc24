//! The system call filter: which calls a function may make, decided by `policy.toml` and enforced by the kernel.
//!
//! Owns the policy, its translation to programs for the kernel, and their installation. Never decides for a single
//! instance: there is one filter, built once when the supervisor starts. A filter cannot be taken off again and is
//! inherited by every child; it ends with the processes that have it.
//!
//! A call of another architecture's table (32-bit, x32) ends the process with SIGSYS, as seccompiler makes it.

mod policy;

use std::io;

use seccompiler::{BpfProgram, TargetArch, apply_filter};

use policy::{ABSENT_BY_DEFAULT, Policy, REFUSED};

const POLICY: &str = include_str!("seccomp/policy.toml");

/// Why the filter cannot be built. Only a broken policy file or an unknown processor can be the cause.
#[derive(Debug, thiserror::Error)]
pub enum FilterError {
    #[error("the system call policy cannot be read")]
    Policy(#[from] toml::de::Error),
    #[error("the system call policy cannot be written for the compiler")]
    Form(#[from] serde_json::Error),
    #[error("the system call policy cannot be compiled")]
    Compile(#[from] seccompiler::Error),
    #[error("no system call filter for processors of this kind")]
    Processor(#[source] seccompiler::BackendError),
}

/// The filter as programs for the kernel, in the order in which they are to be installed. The last one answers first
/// where several refuse.
#[derive(Clone, Debug)]
pub struct Filter {
    programs: [BpfProgram; 2],
}

impl Filter {
    /// Compiles the policy for the processor that this program was built for.
    ///
    /// # Errors
    /// [`FilterError`].
    pub fn build() -> Result<Self, FilterError> {
        let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(FilterError::Processor)?;
        Self::compile(&Policy::parse(POLICY)?, arch)
    }

    fn compile(policy: &Policy, arch: TargetArch) -> Result<Self, FilterError> {
        let json = serde_json::to_vec(&policy.to_filters(arch))?;
        let mut programs = seccompiler::compile_from_json(json.as_slice(), arch)?;
        let mut program = |name| programs.remove(name).unwrap_or_default();
        Ok(Self { programs: [program(ABSENT_BY_DEFAULT), program(REFUSED)] })
    }

    /// Puts the calling thread and its future children under the filter, and sets `no_new_privs`. Makes plain system
    /// calls and allocates nothing, so that it may run between fork and exec.
    ///
    /// # Errors
    /// The kernel's, without a filter or with the first program only.
    pub fn install(&self) -> io::Result<()> {
        for program in &self.programs {
            apply_filter(program).map_err(|error| match error {
                seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error) => error,
                _ => io::Error::from_raw_os_error(libc::EINVAL),
            })?;
        }
        Ok(())
    }

    /// The programs as arrays of `struct sock_filter` (linux/filter.h) in the order of installation, for a process that
    /// installs them by itself with `prctl(PR_SET_SECCOMP)`.
    pub fn to_bytes(&self) -> Vec<Vec<u8>> {
        let instructions = |program: &BpfProgram| {
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

#[cfg(test)]
mod tests;
