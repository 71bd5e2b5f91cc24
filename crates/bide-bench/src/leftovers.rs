//! Whether instances leave anything behind: processes, mounts, control groups, files.
//!
//! Owns the comparison of a server before and after, and after its end. A difference is waited for until it is gone,
//! within a limit, because the kernel takes its time with the end of a namespace.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bide_env::{Clock as _, SystemClock};

use crate::node::Node;
use crate::processes::{Process, control_groups, descendants};

const GONE_TIMEOUT: Duration = Duration::from_secs(30);
const POLL_PERIOD: Duration = Duration::from_millis(20);

/// What belongs to a server at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Belongings {
    /// Name and number of mounts of each process.
    processes: Vec<(String, usize)>,
    /// Of the host's own namespace.
    mounts: BTreeSet<String>,
    files: BTreeSet<PathBuf>,
}

impl Belongings {
    pub(crate) fn of(node: &Node) -> Self {
        let mut processes: Vec<_> = descendants(node.pid())
            .into_iter()
            .map(|process| (process.name.clone(), process.mounts()))
            .collect();
        processes.sort_unstable();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut files = BTreeSet::new();
        // Not the store: its files come and go by its own rules.
        for part in ["data/cache", "tmp"] {
            walk(&node.dir().join(part), &mut files);
        }
        Self { processes, mounts: mounts.lines().map(str::to_owned).collect(), files }
    }

    /// What is here and was not in `before`, in words.
    fn beyond(&self, before: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let mut known = before.processes.clone();
        for process in &self.processes {
            match known.iter().position(|other| other == process) {
                Some(at) => drop(known.swap_remove(at)),
                None => found.push(format!("process {} with {} mounts", process.0, process.1)),
            }
        }
        found.extend(self.mounts.difference(&before.mounts).map(|mount| format!("mount {mount}")));
        found.extend(self.files.difference(&before.files).map(|file| format!("file {}", file.display())));
        found
    }
}

/// Every process and control group seen below a server.
#[derive(Default)]
pub(crate) struct Seen {
    processes: BTreeSet<Process>,
    groups: BTreeSet<PathBuf>,
}

impl Seen {
    /// Adds what there is now; the server's own groups are none of it.
    pub(crate) fn look(&mut self, node: &Node) {
        let own = control_groups(node.pid());
        for process in descendants(node.pid()) {
            self.groups.extend(control_groups(process.pid).difference(&own).cloned());
            self.processes.insert(process);
        }
    }

    pub(crate) fn groups(&self) -> &BTreeSet<PathBuf> {
        &self.groups
    }
}

/// Waits until nothing is there that was not there `before`.
///
/// # Errors
/// What is left behind when the time is over.
pub(crate) async fn expect_like(node: &Node, before: &Belongings) -> anyhow::Result<()> {
    gone("the instances", || Belongings::of(node).beyond(before)).await
}

/// Waits until nothing of what was `seen` exists any more: for a server that has ended.
///
/// # Errors
/// What is left behind when the time is over.
pub(crate) async fn expect_nothing(seen: &Seen) -> anyhow::Result<()> {
    gone("the server", || {
        let processes = seen.processes.iter().filter(|process| process.exists());
        let groups = seen.groups.iter().filter(|group| group.exists());
        let processes = processes.map(|process| format!("process {} {}", process.pid, process.name));
        processes.chain(groups.map(|group| format!("control group {}", group.display()))).collect()
    })
    .await
}

async fn gone(whose: &str, left: impl Fn() -> Vec<String>) -> anyhow::Result<()> {
    const SHOWN: usize = 20;
    let clock = SystemClock::new();
    let deadline = clock.monotonic() + GONE_TIMEOUT;
    loop {
        let found = left();
        if found.is_empty() {
            return Ok(());
        }
        anyhow::ensure!(
            clock.monotonic() < deadline,
            "{whose} left {} things behind:\n  {}",
            found.len(),
            found.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("\n  ")
        );
        clock.sleep(POLL_PERIOD).await;
    }
}

/// Every path below `directory`; links are not followed.
fn walk(directory: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        found.insert(entry.path());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&entry.path(), found);
        }
    }
}
