//! Looking at the processes of this machine, to see that none is left.

use std::path::Path;

/// Whether the process runs; a zombie does not.
pub(crate) fn is_alive(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// The processes whose environment or command line names `directory`: the instances of the server that keeps its data
/// there, all that they started, and the server itself.
pub(crate) fn processes_of(directory: &Path) -> Vec<u64> {
    let directory = directory.as_os_str().as_encoded_bytes();
    let mentions = |process: &Path, file: &str| {
        // Unreadable when the process has just ended, empty when it is a zombie.
        let text = std::fs::read(process.join(file)).unwrap_or_default();
        text.windows(directory.len()).any(|part| part == directory)
    };
    let entries = std::fs::read_dir("/proc").expect("processes can be listed");
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .filter(|(_, process)| mentions(process, "environ") || mentions(process, "cmdline"))
        .map(|(pid, _)| pid)
        .collect()
}
