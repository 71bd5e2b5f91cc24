//! The list of protections, so that what is not in force is said at start and never silently dropped.

use std::fmt;

use crate::protocol::Confined;

/// One way in which a process is contained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protection {
    CleanEnvironment,
    NoInheritedDescriptors,
    OwnSession,
    DiesWithServer,
    DescendantsDieWithServer,
    NoNewPrivileges,
    NoCoreDumps,
    DescriptorLimit,
    FileSizeLimit,
    ProcessLimit,
    MemoryLimit,
    CpuLimit,
    OwnUser,
    FileSystemIsolation,
    ProcessIsolation,
    NetworkIsolation,
    SystemCallFilter,
    Landlock,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CleanEnvironment => "clean environment",
            Self::NoInheritedDescriptors => "no inherited descriptors",
            Self::OwnSession => "own session and process group",
            Self::DiesWithServer => "dies with the server",
            Self::DescendantsDieWithServer => "descendants die with the server",
            Self::NoNewPrivileges => "no new privileges",
            Self::NoCoreDumps => "no core dumps",
            Self::DescriptorLimit => "limit on open descriptors",
            Self::FileSizeLimit => "limit on file size",
            Self::ProcessLimit => "limit on processes",
            Self::MemoryLimit => "limit on memory",
            Self::CpuLimit => "limit on CPU",
            Self::OwnUser => "own user",
            Self::FileSystemIsolation => "file system isolation",
            Self::ProcessIsolation => "process isolation",
            Self::NetworkIsolation => "network isolation",
            Self::SystemCallFilter => "system call filter",
            Self::Landlock => "Landlock",
        })
    }
}

/// What a launcher enforces and what it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protections {
    pub in_force: Vec<Protection>,
    pub missing: Vec<Protection>,
    /// Why something is missing, or weaker than it could be, for the operator.
    pub notes: Vec<String>,
}

impl Protections {
    pub(crate) fn of_plain_processes() -> Self {
        use Protection as P;
        Self {
            in_force: vec![
                P::CleanEnvironment,
                P::NoInheritedDescriptors,
                P::OwnSession,
                P::DiesWithServer,
                P::NoNewPrivileges,
                P::NoCoreDumps,
                P::DescriptorLimit,
                P::FileSizeLimit,
            ],
            missing: vec![
                P::DescendantsDieWithServer,
                P::ProcessLimit,
                P::MemoryLimit,
                P::CpuLimit,
                P::OwnUser,
                P::FileSystemIsolation,
                P::ProcessIsolation,
                P::NetworkIsolation,
                P::SystemCallFilter,
                P::Landlock,
            ],
            notes: Vec::new(),
        }
    }

    /// `privileged`: every instance has a user id of its own on the host.
    pub(crate) fn of_sandboxes(privileged: bool, confined: Confined) -> Self {
        use Protection as P;
        let mut in_force = vec![
            P::CleanEnvironment,
            P::NoInheritedDescriptors,
            P::OwnSession,
            P::DiesWithServer,
            P::DescendantsDieWithServer,
            P::NoNewPrivileges,
            P::NoCoreDumps,
            P::DescriptorLimit,
            P::FileSizeLimit,
            P::ProcessLimit,
            P::FileSystemIsolation,
            P::ProcessIsolation,
            P::NetworkIsolation,
            P::SystemCallFilter,
            // Without control groups it is looked at, not bounded: a note says so.
            P::MemoryLimit,
        ];
        let mut missing = Vec::new();
        let host_has =
            [(P::CpuLimit, confined.cpu), (P::OwnUser, privileged), (P::Landlock, confined.landlock)];
        for (protection, has) in host_has {
            if has { in_force.push(protection) } else { missing.push(protection) }
        }
        let mut notes = confined.notes;
        if !confined.memory {
            notes.push(
                "memory is only looked at several times a second, and not bounded by the kernel".to_owned(),
            );
        }
        Self { in_force, missing, notes }
    }
}
