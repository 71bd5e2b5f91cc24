//! The kernel's interfaces: those that steer the machine, and those by which its faults are reached.

use serde_json::json;

use super::prison::{Prison, expect};

#[tokio::test]
async fn nothing_can_be_mounted() {
    const SOURCE: &str = r#"
MS_BIND = 4096

def handler(event, context):
    os.makedirs("/tmp/m", exist_ok=True)
    return dict(
        tmpfs=inside(syscall, "mount", b"none", b"/tmp/m", b"tmpfs", 0, 0),
        proc=inside(syscall, "mount", b"none", b"/tmp/m", b"proc", 0, 0),
        bind=inside(syscall, "mount", b"/usr", b"/tmp/m", b"none", MS_BIND, 0),
        uncover=inside(syscall, "umount2", b"/code", 0),
        tree=system("open_tree", -100, b"/", 1),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("mounts", SOURCE, json!(null)).await;
    expect(&seen, &["tmpfs", "proc", "bind", "uncover", "tree"].map(|name| (name, "EPERM")));
    prison.close().await;
}

#[tokio::test]
async fn no_namespace_can_be_made_or_entered() {
    const SOURCE: &str = r#"
NAMESPACES = dict(
    user=0x10000000, mount=0x00020000, pid=0x20000000, net=0x40000000, ipc=0x08000000, uts=0x04000000, cgroup=0x02000000
)
SIGCHLD = 17

def clone(flag):
    pid = syscall("clone", flag | SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)

def enter():
    syscall("setns", os.open("/proc/self/ns/net", os.O_RDONLY), 0)

def handler(event, context):
    seen = {"unshare_" + name: in_child(syscall, "unshare", flag) for name, flag in NAMESPACES.items()}
    seen.update({"clone_" + name: outcome(clone, flag) for name, flag in NAMESPACES.items()})
    return dict(
        seen,
        clone3=outcome(lambda: syscall("clone3", ctypes.create_string_buffer(64), 64) and None),
        enter_own=in_child(enter),
        outer=outcome(os.open, "/proc/1/ns/net", os.O_RDONLY),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("namespaces", SOURCE, json!(null)).await;
    let names = ["user", "mount", "pid", "net", "ipc", "uts", "cgroup"];
    let all: Vec<_> =
        ["unshare", "clone"].iter().flat_map(|way| names.map(|name| format!("{way}_{name}"))).collect();
    let mut expected: Vec<_> = all.iter().map(|name| (name.as_str(), "EPERM")).collect();
    expected.extend([("clone3", "ENOSYS"), ("enter_own", "EPERM"), ("outer", "EACCES")]);
    expect(&seen, &expected);
    prison.close().await;
}

#[tokio::test]
async fn the_settings_of_the_kernel_cannot_be_changed() {
    const SOURCE: &str = r#"
def rewrites(path):
    """Puts the value there that is there."""

    def rewrite():
        with open(path) as file:
            value = file.read()
        with open(path, "w") as file:
            file.write(value)

    return outcome(rewrite)

def handler(event, context):
    settings = ["kernel/core_pattern", "kernel/modprobe", "vm/overcommit_memory", "fs/file-max", "net/ipv4/ip_forward"]
    settings += ["user/max_user_namespaces", "kernel/hostname", "kernel/shmmax"]
    return dict(
        {name: rewrites("/proc/sys/" + name) for name in settings},
        sysrq=opens_to_write("/proc/sysrq-trigger"),
        irq=lists("/sys/kernel"),
        groups=lists("/sys/fs/cgroup"),
        modules=reads("/lib/modules/x"),
        log=reads("/proc/kmsg"),
        own_score=rewrites_lower(),
    )

def rewrites_lower():
    def lower():
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("-1000")

    return inside(lower)
"#;
    let prison = Prison::open().await;
    let mut seen = prison.attempt("settings", SOURCE, json!(null)).await;
    for (name, outcome) in seen.as_object_mut().unwrap() {
        // Not there, not writable, not permitted: each is a refusal.
        let refused = ["EACCES", "EPERM", "EROFS", "ENOENT"].iter().any(|error| outcome == *error);
        assert!(refused, "{name}: {outcome}");
    }
    prison.close().await;
}

#[tokio::test]
async fn the_interfaces_where_kernels_break_are_refused() {
    const SOURCE: &str = r#"
BPF_MAP_CREATE, PTRACE_TRACEME, KEYCTL_GET_KEYRING_ID = 0, 0, 0
SESSION = -3

def handler(event, context):
    room = ctypes.create_string_buffer(256)
    return dict(
        bpf=system("bpf", BPF_MAP_CREATE, room, 72),
        io_uring=system("io_uring_setup", 1, room),
        keyctl=system("keyctl", KEYCTL_GET_KEYRING_ID, SESSION, 0),
        add_key=system("add_key", b"user", b"bide-escape", b"x", 1, -2),
        request_key=system("request_key", b"user", b"bide-escape", 0, 0),
        userfaultfd=system("userfaultfd", 1),
        perf=system("perf_event_open", room, 0, -1, -1, 0),
        module=system("init_module", 0, 0, b""),
        traceme=in_child(syscall, "ptrace", PTRACE_TRACEME, 0, 0, 0),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("interfaces", SOURCE, json!(null)).await;
    let names =
        ["bpf", "io_uring", "keyctl", "add_key", "request_key", "userfaultfd", "perf", "module", "traceme"];
    expect(&seen, &names.map(|name| (name, "EPERM")));
    prison.close().await;
}

#[tokio::test]
async fn no_limit_or_rank_can_be_raised() {
    const SOURCE: &str = r#"
import resource

def raises(kind):
    soft, hard = resource.getrlimit(kind)
    try:
        resource.setrlimit(kind, (hard + 1, hard + 1))
    except (ValueError, OverflowError) as error:
        return str(error)
    return "done"

def handler(event, context):
    return dict(
        processes=raises(resource.RLIMIT_NPROC),
        files=raises(resource.RLIMIT_NOFILE),
        sizes=raises(resource.RLIMIT_FSIZE),
        nice=outcome(os.setpriority, os.PRIO_PROCESS, 0, -5),
        real_time=outcome(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(1)),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("raises", SOURCE, json!(null)).await;
    let limit = "not allowed to raise maximum limit";
    let expected = [
        ("processes", limit),
        ("files", limit),
        ("sizes", limit),
        ("nice", "EACCES"),
        ("real_time", "EPERM"),
    ];
    expect(&seen, &expected);
    prison.close().await;
}
