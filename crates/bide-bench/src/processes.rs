//! What `/proc` says about the processes below a server.
//!
//! Owns the reading. A process may end at any moment: what cannot be read any more is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One process at one moment; the start time tells it from another with the same number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) started: u64,
}

/// Every process that descends from `root`, without `root`.
pub(crate) fn descendants(root: u32) -> Vec<Process> {
    let mut children: BTreeMap<u32, Vec<Process>> = BTreeMap::new();
    for pid in numbered(Path::new("/proc")) {
        if let Some((parent, process)) = read(pid) {
            children.entry(parent).or_default().push(process);
        }
    }
    let (mut found, mut next) = (Vec::new(), vec![root]);
    while let Some(parent) = next.pop() {
        for process in children.remove(&parent).unwrap_or_default() {
            next.push(process.pid);
            found.push(process);
        }
    }
    found
}

impl Process {
    pub(crate) fn exists(&self) -> bool {
        read(self.pid).is_some_and(|(_, process)| process.started == self.started)
    }

    /// Its mounts: as many as its namespace has.
    pub(crate) fn mounts(&self) -> usize {
        let text = std::fs::read_to_string(format!("/proc/{}/mountinfo", self.pid)).unwrap_or_default();
        text.lines().count()
    }

    /// Its share of memory in KiB, pages in common with others divided among them.
    pub(crate) fn proportional_kib(&self) -> Option<u64> {
        proportional_kib(self.pid)
    }
}

/// As [`Process::proportional_kib`].
pub(crate) fn proportional_kib(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The directories of the control groups that `pid` is in, without those at the top: an ending process is moved there.
pub(crate) fn control_groups(pid: u32) -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let groups = text.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let path = path.trim_start_matches('/');
        if path.is_empty() {
            return None;
        }
        // cgroups(7): the unified hierarchy has no controllers in its line. It is mounted at the top, or, on a host
        // that has version 1 as well, beside the others.
        let roots = if controllers.is_empty() {
            vec!["/sys/fs/cgroup/unified".to_owned(), "/sys/fs/cgroup".to_owned()]
        } else {
            vec![format!("/sys/fs/cgroup/{}", controllers.trim_start_matches("name="))]
        };
        roots
            .into_iter()
            .map(|root| Path::new(&root).join(path))
            .find(|path| path.join("cgroup.procs").exists())
    });
    groups.collect()
}

/// What the kernel accounts to a control group, in bytes; `None` if it does not count memory.
pub(crate) fn charged_bytes(group: &Path) -> Option<u64> {
    let files = ["memory.current", "memory.usage_in_bytes"];
    files.iter().find_map(|file| std::fs::read_to_string(group.join(file)).ok()?.trim().parse().ok())
}

fn numbered(directory: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The parent of a process, and the process.
fn read(pid: u32) -> Option<(u32, Process)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; what follows it is numbers (proc(5)).
    let (head, rest) = stat.rsplit_once(") ")?;
    let name = head.split_once('(')?.1.to_owned();
    let fields: Vec<&str> = rest.split(' ').collect();
    // A zombie has ended; its parent just has not looked yet.
    if fields.first() == Some(&"Z") {
        return None;
    }
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    Some((u32::try_from(field(4)?).ok()?, Process { pid, name, started: field(22)? }))
}
