//! The control group of one instance, in every hierarchy that has a part in it.
//!
//! Owns its directories and limits, the way in, and the figures. Removing waits for nothing: the kernel refuses while a
//! process is left, and the directory goes to the list of leftovers then.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::place::Place;
use super::{Bounds, Cgroups, Controller, Leftovers, Version, figures, is_gone, lock};

/// The period over which CPU time is limited: the kernel's default.
const CPU_PERIOD_MICROS: u64 = 100_000;
/// The kernel refuses less CPU time than this per period.
const CPU_QUOTA_MICROS_MIN: u64 = 1_000;

/// A control group; removed when dropped, which does not end its processes.
#[derive(Debug)]
pub struct InstanceCgroup {
    groups: Vec<Group>,
    memory: Option<usize>,
    pids: Option<usize>,
    cpu: Option<usize>,
    freezer: Option<usize>,
    memory_peak: Cell<u64>,
    leftovers: Leftovers,
}

#[derive(Debug)]
struct Group {
    version: Version,
    directory: PathBuf,
    /// Kept so that the parent stays locked while it has children.
    place: Arc<Place>,
}

/// The open files by which a process enters a group, prepared because a process in an instance does not see the host's
/// files. Entering by oneself is what keeps it cheap: moving a process from outside makes the kernel wait until every
/// CPU has passed a safe point (5 to 10 ms per hierarchy, measured), a single thread moving itself does not.
#[derive(Debug)]
pub struct Entry {
    /// `tasks` of version 1 groups.
    threads: Vec<File>,
    /// Directory and `cgroup.procs` of the version 2 group.
    unified: Option<(File, File)>,
}

impl InstanceCgroup {
    pub(super) fn create(cgroups: &Cgroups, name: &str, bounds: &Bounds) -> io::Result<Self> {
        let mut made = Self {
            groups: Vec::new(),
            memory: None,
            pids: None,
            cpu: None,
            freezer: None,
            memory_peak: Cell::new(0),
            leftovers: Arc::clone(&cgroups.leftovers),
        };
        // Dropping `made` on the way out of an error removes what was made so far.
        for (controller, place) in &cgroups.places {
            let index = made.group_in(place, name)?;
            *made.index_of(*controller) = Some(index);
        }
        made.bound(bounds)?;
        Ok(made)
    }

    fn index_of(&mut self, controller: Controller) -> &mut Option<usize> {
        match controller {
            Controller::Memory => &mut self.memory,
            Controller::Pids => &mut self.pids,
            Controller::Cpu => &mut self.cpu,
            Controller::Freezer => &mut self.freezer,
        }
    }

    /// Sets the bounds; one that is `None` stays as it is.
    ///
    /// # Errors
    /// The kernel's; some bounds may then be set.
    pub fn bound(&self, bounds: &Bounds) -> io::Result<()> {
        if let (Some(group), Some(bytes)) = (self.group(self.memory), bounds.memory_bytes) {
            limit_memory(group.version, &group.directory, bytes)?;
        }
        if let (Some(group), Some(tasks)) = (self.group(self.pids), bounds.tasks) {
            write(&group.directory, "pids.max", tasks)?;
        }
        if let (Some(group), Some(millis)) = (self.group(self.cpu), bounds.cpu_millis) {
            limit_cpu(group.version, &group.directory, millis)?;
        }
        Ok(())
    }

    fn group(&self, index: Option<usize>) -> Option<&Group> {
        index.map(|index| &self.groups[index])
    }

    /// The group in one hierarchy, made if it is the first controller there.
    fn group_in(&mut self, place: &Arc<Place>, name: &str) -> io::Result<usize> {
        if let Some(index) = self.groups.iter().position(|group| Arc::ptr_eq(&group.place, place)) {
            return Ok(index);
        }
        let directory = place.directory().join(name);
        fs::create_dir(&directory)?;
        self.groups.push(Group { version: place.version(), directory, place: Arc::clone(place) });
        Ok(self.groups.len() - 1)
    }

    /// Opens the way in for a process that a child of the caller is going to be.
    ///
    /// # Errors
    /// The kernel's.
    pub fn entry(&self) -> io::Result<Entry> {
        let mut entry = Entry { threads: Vec::new(), unified: None };
        for Group { version, directory, .. } in &self.groups {
            let open = |file| OpenOptions::new().write(true).open(directory.join(file));
            match version {
                Version::V1 => entry.threads.push(open("tasks")?),
                Version::V2 => entry.unified = Some((File::open(directory)?, open("cgroup.procs")?)),
            }
        }
        Ok(entry)
    }

    /// Moves a process, with all its threads, into the group. Slow: prefer [`Entry::enter`].
    ///
    /// # Errors
    /// The kernel's; the process may then be in some of the hierarchies.
    pub fn add(&self, pid: u32) -> io::Result<()> {
        self.groups.iter().try_for_each(|group| write(&group.directory, "cgroup.procs", u64::from(pid)))
    }

    /// Anonymous memory in use by all processes of the group, in bytes: what a function allocates, without files in `/tmp`,
    /// page cache and kernel memory. `None` without the memory controller.
    pub fn memory_now(&self) -> Option<u64> {
        let group = &self.groups[self.memory?];
        let key = match group.version {
            Version::V1 => "total_rss",
            Version::V2 => "anon",
        };
        let now = figures::keyed(&group.directory.join("memory.stat"), key)?;
        self.memory_peak.set(self.memory_peak.get().max(now));
        Some(now)
    }

    /// The highest value that [`Self::memory_now`] has returned. The kernel's own peak is no substitute: it counts page
    /// cache, which grows to the limit with any larger file.
    pub fn memory_peak_bytes(&self) -> Option<u64> {
        self.memory.map(|_| self.memory_peak.get())
    }

    /// The kernel's peak of everything charged, in bytes: an upper bound of what the processes had.
    pub fn charged_peak_bytes(&self) -> Option<u64> {
        let group = &self.groups[self.memory?];
        let file = match group.version {
            Version::V1 => "memory.max_usage_in_bytes",
            Version::V2 => "memory.peak",
        };
        figures::number(&group.directory.join(file))
    }

    /// How many processes the kernel has killed because the group was at its limit of memory.
    pub fn oom_kills(&self) -> u64 {
        let Some(index) = self.memory else { return 0 };
        let group = &self.groups[index];
        let file = match group.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        figures::keyed(&group.directory.join(file), "oom_kill").unwrap_or(0)
    }

    /// Processes and threads in the group now; `None` without the controller.
    pub fn tasks_now(&self) -> Option<u64> {
        figures::number(&self.groups[self.pids?].directory.join("pids.current"))
    }

    /// Begins to stop all processes; they may run on for a moment. False if this host cannot.
    ///
    /// # Errors
    /// The kernel's.
    pub fn freeze(&self) -> io::Result<bool> {
        self.set_frozen(true)
    }

    /// Lets frozen processes run on. False if this host cannot.
    ///
    /// # Errors
    /// The kernel's.
    pub fn thaw(&self) -> io::Result<bool> {
        self.set_frozen(false)
    }

    fn set_frozen(&self, frozen: bool) -> io::Result<bool> {
        let Some(index) = self.freezer else { return Ok(false) };
        let Group { version, directory, .. } = &self.groups[index];
        match version {
            Version::V1 => {
                let state = if frozen { "FROZEN" } else { "THAWED" };
                fs::write(directory.join("freezer.state"), state)?;
            }
            Version::V2 => write(directory, "cgroup.freeze", u64::from(frozen))?,
        }
        Ok(true)
    }

    /// Kills all processes of the group at once. False if this host cannot do it by the group (version 1, or Linux before
    /// 5.14); frozen ones are thawed in any case, since version 1 lets no signal reach them.
    ///
    /// # Errors
    /// The kernel's.
    pub fn kill(&self) -> io::Result<bool> {
        let killer =
            self.groups.iter().map(|group| group.directory.join("cgroup.kill")).find(|file| file.exists());
        if let Some(file) = &killer {
            fs::write(file, "1")?;
        }
        self.thaw()?;
        Ok(killer.is_some())
    }
}

impl Drop for InstanceCgroup {
    fn drop(&mut self) {
        for group in &self.groups {
            if !is_gone(&group.directory) {
                lock(&self.leftovers).push(group.directory.clone());
            }
        }
    }
}

impl Entry {
    /// Moves the calling process, which must have one thread only, into the group. Makes plain system calls, so that it
    /// may run between fork and exec. `born_inside` if it was cloned into [`Self::birthplace`].
    ///
    /// # Errors
    /// The kernel's; the process may then be in some of the hierarchies.
    pub fn enter(&self, born_inside: bool) -> io::Result<()> {
        let unified = self.unified.iter().filter(|_| !born_inside).map(|(_, processes)| processes);
        // `0` means the writing process.
        self.threads.iter().chain(unified).try_for_each(|mut file| file.write_all(b"0"))
    }

    /// For `clone3` with `CLONE_INTO_CGROUP`, the cheap way into a version 2 group.
    pub fn birthplace(&self) -> Option<BorrowedFd<'_>> {
        self.unified.as_ref().map(|(directory, _)| directory.as_fd())
    }

    /// The files, for a process that is to write `0` to each by itself.
    pub fn files(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let unified = self.unified.iter().map(|(_, processes)| processes);
        self.threads.iter().chain(unified).map(AsFd::as_fd)
    }
}

fn limit_memory(version: Version, directory: &Path, bytes: u64) -> io::Result<()> {
    match version {
        Version::V1 => {
            write(directory, "memory.limit_in_bytes", bytes)?;
            // Memory and swap together: no swap. The file is missing where the kernel does not account swap.
            let both = "memory.memsw.limit_in_bytes";
            if directory.join(both).exists() { write(directory, both, bytes) } else { no_swap(directory) }
        }
        Version::V2 => {
            write(directory, "memory.max", bytes)?;
            // An instance that lost one of its processes is of no use.
            write_if_there(directory, "memory.oom.group", 1)?;
            write_if_there(directory, "memory.swap.max", 0)
        }
    }
}

fn no_swap(directory: &Path) -> io::Result<()> {
    write_if_there(directory, "memory.swappiness", 0)
}

fn limit_cpu(version: Version, directory: &Path, millis: u32) -> io::Result<()> {
    let quota = (u64::from(millis) * CPU_PERIOD_MICROS / 1_000).max(CPU_QUOTA_MICROS_MIN);
    match version {
        Version::V1 => {
            write(directory, "cpu.cfs_period_us", CPU_PERIOD_MICROS)?;
            write(directory, "cpu.cfs_quota_us", quota)
        }
        Version::V2 => fs::write(directory.join("cpu.max"), format!("{quota} {CPU_PERIOD_MICROS}")),
    }
}

fn write_if_there(directory: &Path, file: &str, value: u64) -> io::Result<()> {
    if directory.join(file).exists() { write(directory, file, value) } else { Ok(()) }
}

fn write(directory: &Path, file: &str, value: u64) -> io::Result<()> {
    let path = directory.join(file);
    fs::write(&path, value.to_string())
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}
