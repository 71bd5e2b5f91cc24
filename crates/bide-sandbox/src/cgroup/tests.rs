use super::*;

/// A directory that looks like a hierarchy. Groups in it cannot be removed as in the kernel, where files do not count.
struct Host {
    directory: tempfile::TempDir,
    own: String,
}

impl Host {
    fn v2(controllers: &str, own: &str) -> Self {
        let host = Self { directory: tempfile::tempdir().expect("a directory"), own: format!("0::/{own}\n") };
        host.put("cgroup.controllers", controllers);
        fs::create_dir_all(host.path(own)).expect("made");
        host.put(&format!("{own}/cgroup.controllers"), controllers);
        host
    }

    fn v1(controllers: &[&str], own: &str) -> Self {
        let lines = controllers.iter().enumerate().map(|(index, it)| format!("{index}:{it}:/{own}\n"));
        let host = Self { directory: tempfile::tempdir().expect("a directory"), own: lines.collect() };
        for controller in controllers {
            fs::create_dir_all(host.path(&format!("{controller}/{own}"))).expect("made");
        }
        host
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    fn put(&self, file: &str, text: &str) {
        fs::write(self.path(file), text).expect("written");
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap_or_else(|error| format!("{file}: {error}"))
    }

    fn detect(&self) -> Cgroups {
        let root = self.directory.path();
        Cgroups::detect(&Site { root, own: &self.own, label: "a", server: &[7] })
    }
}

const BOUNDS: Bounds = Bounds { memory_bytes: Some(1 << 20), tasks: Some(50), cpu_millis: Some(250) };

#[test]
fn version_2_gets_its_controllers_turned_on_and_its_limits_written() {
    let host = Host::v2("cpuset cpu io memory hugetlb pids", "system.slice/bide.service");
    let parent = "system.slice/bide.service/bide-a";
    let cgroups = host.detect();
    assert_eq!(host.read("system.slice/bide.service/cgroup.subtree_control"), "+memory +pids +cpu");
    assert_eq!(host.read(&format!("{parent}/cgroup.subtree_control")), "+memory +pids +cpu");
    for controller in [Controller::Memory, Controller::Pids, Controller::Cpu] {
        assert_eq!(cgroups.version_of(controller), Some(Version::V2), "{controller}");
    }

    let _instance = cgroups.create("i-1", &BOUNDS).unwrap();
    assert_eq!(host.read(&format!("{parent}/i-1/memory.max")), "1048576");
    assert_eq!(host.read(&format!("{parent}/i-1/pids.max")), "50");
    assert_eq!(host.read(&format!("{parent}/i-1/cpu.max")), "25000 100000");
}

#[test]
fn figures_of_version_2_are_read() {
    let host = Host::v2("memory pids", "s");
    host.detect();
    // The kernel makes these in every group; here they must be there before.
    host.put("s/bide-a/cgroup.freeze", "0");
    let cgroups = host.detect();
    let instance = cgroups.create("i", &BOUNDS).unwrap();
    assert_eq!(instance.memory_now(), None);
    host.put("s/bide-a/i/memory.stat", "anon 5000\nfile 90000\n");
    assert_eq!(instance.memory_now(), Some(5000));
    host.put("s/bide-a/i/memory.stat", "anon 3000\nfile 90000\n");
    assert_eq!(instance.memory_now(), Some(3000));
    assert_eq!(instance.memory_peak_bytes(), Some(5000));
    host.put("s/bide-a/i/memory.peak", "95000\n");
    assert_eq!(instance.charged_peak_bytes(), Some(95_000));
    host.put("s/bide-a/i/memory.events", "low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\noom_group_kill 1\n");
    assert_eq!(instance.oom_kills(), 2);
    host.put("s/bide-a/i/pids.current", "4\n");
    assert_eq!(instance.tasks_now(), Some(4));
    assert!(instance.freeze().unwrap());
    assert_eq!(host.read("s/bide-a/i/cgroup.freeze"), "1");
    host.put("s/bide-a/i/cgroup.kill", "");
    assert!(instance.kill().unwrap());
    assert_eq!(host.read("s/bide-a/i/cgroup.kill"), "1");
    assert_eq!(host.read("s/bide-a/i/cgroup.freeze"), "0");
}

#[test]
fn version_1_is_used_per_controller_and_the_rest_is_missing() {
    let host = Host::v1(&["memory", "cpu,cpuacct"], "");
    let cgroups = host.detect();
    assert_eq!(cgroups.version_of(Controller::Memory), Some(Version::V1));
    assert_eq!(cgroups.version_of(Controller::Cpu), Some(Version::V1));
    let missing: Vec<_> = cgroups.missing().iter().map(|(controller, _)| *controller).collect();
    assert_eq!(missing, [Controller::Pids, Controller::Freezer]);
    host.put("memory/bide-a/memory.memsw.limit_in_bytes", "");
    let instance = cgroups.create("i", &BOUNDS).unwrap();
    assert_eq!(host.read("memory/bide-a/i/memory.limit_in_bytes"), "1048576");
    assert_eq!(host.read("cpu,cpuacct/bide-a/i/cpu.cfs_quota_us"), "25000");
    assert!(!instance.freeze().unwrap());
    assert_eq!(instance.tasks_now(), None);
}

#[test]
fn a_hybrid_host_without_controllers_in_version_2_uses_version_1() {
    let mut host = Host::v1(&["memory"], "own");
    host.own.push_str("0::/\n");
    fs::create_dir(host.path("unified")).unwrap();
    host.put("unified/cgroup.controllers", "hugetlb\n");
    let cgroups = host.detect();
    assert_eq!(cgroups.version_of(Controller::Memory), Some(Version::V1));
    assert!(host.path("memory/own/bide-a").is_dir());
    assert!(!host.path("unified/bide-a").exists());
}

#[test]
fn a_host_without_control_groups_has_reasons_for_all() {
    let directory = tempfile::tempdir().unwrap();
    let site = Site { root: directory.path(), own: "", label: "a", server: &[] };
    let cgroups = Cgroups::detect(&site);
    assert_eq!(cgroups.missing().len(), Controller::ALL.len());
    let instance = cgroups.create("i", &BOUNDS).unwrap();
    assert_eq!((instance.memory_now(), instance.oom_kills()), (None, 0));
    instance.entry().unwrap().enter(false).unwrap();
}

#[test]
fn what_dead_servers_left_is_swept_and_a_living_one_is_spared() {
    let host = Host::v1(&["pids"], "");
    let living = host.detect();
    fs::create_dir_all(host.path("pids/bide-dead/i-3")).unwrap();
    fs::create_dir_all(host.path("pids/another")).unwrap();
    let site = Site { root: host.directory.path(), own: &host.own, label: "b", server: &[] };
    let second = Cgroups::detect(&site);
    assert!(!host.path("pids/bide-dead").exists());
    assert!(host.path("pids/bide-a").is_dir());
    assert!(host.path("pids/another").is_dir());
    drop(living);
    drop(second);
    assert!(!host.path("pids/bide-a").exists());
    assert!(!host.path("pids/bide-b").exists());
}

#[test]
fn a_label_in_use_is_refused() {
    let host = Host::v1(&["pids"], "");
    let _first = host.detect();
    let second = host.detect();
    assert_eq!(second.version_of(Controller::Pids), None);
    assert!(second.missing()[1].1.contains("no control group can be made"), "{:?}", second.missing());
}

#[test]
fn a_group_that_is_busy_is_removed_later() {
    let host = Host::v1(&["pids"], "");
    let cgroups = host.detect();
    let instance = cgroups.create("i", &Bounds::default()).unwrap();
    fs::create_dir(host.path("pids/bide-a/i/busy")).unwrap();
    drop(instance);
    assert_eq!(cgroups.tidy(), 1);
    fs::remove_dir(host.path("pids/bide-a/i/busy")).unwrap();
    assert_eq!(cgroups.tidy(), 0);
    assert!(!host.path("pids/bide-a/i").exists());
}

#[test]
fn a_group_half_made_is_removed() {
    let host = Host::v1(&["memory", "pids"], "");
    let cgroups = host.detect();
    fs::create_dir(host.path("pids/bide-a/i")).unwrap();
    cgroups.create("i", &Bounds::default()).unwrap_err();
    assert!(!host.path("memory/bide-a/i").exists());
}
