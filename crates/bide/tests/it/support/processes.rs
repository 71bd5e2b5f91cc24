//! Looking at the processes of this machine, to see that none is left.

use std::path::Path;

const FILES: [&str; 3] = ["environ", "cmdline", "mountinfo"];

/// Whether the process runs; a zombie does not.
pub(crate) fn is_alive(pid: u64) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z')))
}

/// The processes whose environment, command line or mounts name `directory`: the instances of the server that keeps its
/// data there (their code is mounted from it), all that they started, and the server itself.
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
        .filter(|(_, process)| FILES.iter().any(|file| mentions(process, file)))
        .map(|(pid, _)| pid)
        .collect()
}

/// Whether the process is one of bide's own, that runs no user code.
pub(crate) fn is_ours(pid: u64) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline"))
        .is_ok_and(|line| line.starts_with(b"bide-sandbox-supervisor"))
}

/// Whether the process waits in a sandbox that shows no code yet: a standby, which is no instance.
pub(crate) fn is_standby(pid: u64) -> bool {
    let shown = |text: &str| {
        text.lines().any(|line| line.split(' ').nth(4) == Some("/code") && line.contains("/cache/code/"))
    };
    let has_agents = |text: &str| text.lines().any(|line| line.split(' ').nth(4) == Some("/var/bide"));
    std::fs::read_to_string(format!("/proc/{pid}/mountinfo"))
        .is_ok_and(|text| has_agents(&text) && !shown(&text))
}

/// Whether the process belongs to the instance with this id: by its environment, or by the host name of its sandbox.
pub(crate) fn is_of_instance(pid: u64, instance: &str) -> bool {
    let variable = format!("FC_INSTANCE_ID={instance}");
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|item| item == variable.as_bytes())
        || host_name(pid).is_some_and(|name| name == instance)
}

fn host_name(pid: u64) -> Option<String> {
    let pid = pid.to_string();
    // Through the user namespace, since an ordinary user has the right to enter the others only inside it.
    let output = std::process::Command::new("nsenter")
        .args(["--target", &pid, "--user", "--preserve-credentials", "--uts", "hostname"])
        .stderr(std::process::Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
