use super::*;

/// A directory that looks like `/proc`: processes with their namespaces and `RssAnon` and `RssShmem` in kilobytes.
fn proc(processes: &[(u32, u64, u64, u64)]) -> (tempfile::TempDir, Watchdog) {
    let directory = tempfile::tempdir().expect("a directory");
    for (pid, namespace, anonymous, shared) in processes {
        let process = directory.path().join(pid.to_string());
        fs::create_dir_all(process.join("ns")).expect("made");
        std::os::unix::fs::symlink(format!("pid:[{namespace}]"), process.join("ns/pid")).expect("linked");
        let status =
            format!("Name:\tx\nVmRSS:\t 99 kB\nRssAnon:\t {anonymous} kB\nRssShmem:\t {shared} kB\n");
        fs::write(process.join("status"), status).expect("written");
    }
    fs::create_dir(directory.path().join("self")).expect("made");
    let watchdog = Watchdog::new(directory.path().to_owned());
    (directory, watchdog)
}

#[test]
fn memory_is_summed_by_namespace() {
    let (directory, watchdog) = proc(&[(1, 10, 30, 0), (2, 20, 50, 20), (7, 20, 5, 0)]);
    let mut usage = watchdog.look().unwrap();
    usage.values_mut().for_each(|usage| usage.processes.sort_unstable());
    assert_eq!(usage.len(), 2);
    assert_eq!(usage[&Namespace(10)], Usage { memory_bytes: 30 * 1024, processes: vec![1] });
    assert_eq!(usage[&Namespace(20)], Usage { memory_bytes: 75 * 1024, processes: vec![2, 7] });
    assert_eq!(watchdog.namespace_of(7).unwrap(), Namespace(20));
    assert_eq!(watchdog.namespace_of(8).unwrap_err().kind(), io::ErrorKind::NotFound);

    let both = &usage[&Namespace(20)];
    assert_eq!(watchdog.shared_out(both), 75 * 1024, "without finer figures");
    let rollup = |pid: u32, text: &str| {
        fs::write(directory.path().join(format!("{pid}/smaps_rollup")), text).expect("written");
    };
    rollup(2, "Rss: 100 kB\nPss: 90 kB\nPss_Anon:  30 kB\nPss_File: 9 kB\nPss_Shmem: 2 kB\n");
    assert_eq!(watchdog.shared_out(both), 75 * 1024, "without those of one process");
    rollup(7, "Pss_Anon: 4 kB\nPss_Shmem: 0 kB\n");
    assert_eq!(watchdog.shared_out(both), 36 * 1024);
}

#[test]
fn what_cannot_be_read_is_left_out() {
    let (directory, watchdog) = proc(&[(1, 10, 30, 0), (2, 10, 30, 0), (3, 10, 30, 0)]);
    fs::create_dir(directory.path().join("4")).unwrap();
    // A zombie has no memory, and one that has just ended no files.
    fs::write(directory.path().join("2/status"), "Name:\tz\nState:\tZ (zombie)\n").unwrap();
    fs::remove_file(directory.path().join("3/status")).unwrap();
    assert_eq!(watchdog.look().unwrap()[&Namespace(10)].processes, [1]);
    assert!(Watchdog::new(directory.path().join("none")).look().is_err());
    assert_eq!(namespace(b"pid:[1"), None);
    assert_eq!(namespace(b"net:[1]"), None);
}
