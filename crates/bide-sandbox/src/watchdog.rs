//! Memory of instances without control groups: counted from outside, by process, every now and then.
//!
//! Owns one look at `/proc` and the sums per instance; an instance is a pid namespace. When to look and whom to end is the
//! supervisor's. Between two looks a function can take more than it may, so this is no substitute where the kernel can
//! bound memory itself; and memory that is in no process, such as a `memfd` that nobody maps, is not seen at all. `RLIMIT_AS`
//! is no substitute either: it counts address space, of which Node reserves gigabytes at once.
//! Nothing is kept between looks.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use rustix::fs::readlink;

/// A pid namespace, by the number of its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Namespace(u64);

/// What the processes of one namespace use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory that is no file's, in bytes: anonymous, and shared. Pages that several processes have count for each
    /// of them, so this is an upper bound; see [`Watchdog::shared_out`].
    pub memory_bytes: u64,
    /// Their numbers, as the reader of `/proc` sees them.
    pub processes: Vec<u32>,
}

/// One process as `/proc` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    pid: u32,
    namespace: Namespace,
    memory_bytes: u64,
}

/// Reads a `/proc`, of which it sees the processes of its pid namespace and of all below it.
#[derive(Debug)]
pub struct Watchdog {
    proc: PathBuf,
}

impl Watchdog {
    pub fn new(proc: PathBuf) -> Self {
        Self { proc }
    }

    /// The namespace of a process.
    ///
    /// # Errors
    /// The kernel's, `NotFound` if the process is gone.
    pub fn namespace_of(&self, pid: u32) -> io::Result<Namespace> {
        let link = readlink(self.of(pid).join("ns/pid"), Vec::new())?;
        namespace(link.to_bytes()).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// One look at all processes. What ends meanwhile, or may not be looked at, is left out.
    ///
    /// # Errors
    /// The kernel's, if `/proc` cannot be read at all.
    pub fn look(&self) -> io::Result<HashMap<Namespace, Usage>> {
        let entries = fs::read_dir(&self.proc)?;
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Ok(sum(pids.filter_map(|pid| self.see(pid))))
    }

    /// The memory of [`Usage`] with shared pages divided among those who share them, in bytes: what ending all of them
    /// would free. Far dearer to read, for the case that the upper bound is over a limit.
    pub fn shared_out(&self, usage: &Usage) -> u64 {
        let rollups =
            usage.processes.iter().map(|pid| fs::read_to_string(self.of(*pid).join("smaps_rollup")));
        let shares = rollups.map(|text| bytes_of(&text.ok()?, ["Pss_Anon:", "Pss_Shmem:"]));
        // Without the finer figures, the bound has to do.
        shares
            .sum::<Option<u64>>()
            .map_or(usage.memory_bytes, |shared_out| shared_out.min(usage.memory_bytes))
    }

    fn of(&self, pid: u32) -> PathBuf {
        self.proc.join(pid.to_string())
    }

    fn see(&self, pid: u32) -> Option<Seen> {
        let namespace = self.namespace_of(pid).ok()?;
        let status = fs::read_to_string(self.of(pid).join("status")).ok()?;
        Some(Seen { pid, namespace, memory_bytes: bytes_of(&status, ["RssAnon:", "RssShmem:"])? })
    }
}

fn sum(table: impl Iterator<Item = Seen>) -> HashMap<Namespace, Usage> {
    let mut sums: HashMap<_, Usage> = HashMap::new();
    for seen in table {
        let usage = sums.entry(seen.namespace).or_default();
        usage.memory_bytes = usage.memory_bytes.saturating_add(seen.memory_bytes);
        usage.processes.push(seen.pid);
    }
    sums
}

/// `pid:[4026531836]`
fn namespace(link: &[u8]) -> Option<Namespace> {
    let number = std::str::from_utf8(link).ok()?.strip_prefix("pid:[")?.strip_suffix(']')?;
    number.parse().ok().map(Namespace)
}

/// The sum of two fields in kilobytes, from `/proc/PID/status` or `/proc/PID/smaps_rollup` (proc(5)); `None` unless both
/// are there.
fn bytes_of(text: &str, fields: [&str; 2]) -> Option<u64> {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    };
    field(fields[0])?.checked_add(field(fields[1])?)
}

#[cfg(test)]
mod tests;
