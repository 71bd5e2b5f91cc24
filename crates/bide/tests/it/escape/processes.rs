//! Processes: many of them, those that do not want to end, and those of others.

use serde_json::json;

use super::prison::{Prison, expect, hostile, is_root};
use crate::support::{status, until};

#[tokio::test]
async fn a_fork_bomb_reaches_its_limit_and_no_further() {
    // 4096 processes if nothing stops it.
    const SOURCE: &str = r#"
def bomb(depth):
    for _ in range(2 if depth else 0):
        try:
            pid = os.fork()
        except OSError as error:
            return errno.errorcode[error.errno]
        if pid == 0:
            bomb(depth - 1)
            time.sleep(60)
            os._exit(0)

def handler(event, context):
    bomb(12)
    last, seen, end = 0, 1, time.monotonic() + 20
    while seen != last and time.monotonic() < end:
        time.sleep(0.3)
        last, seen = seen, len(processes())
    return dict(seen=seen, more=outcome(lambda: os.fork() or os._exit(0)))
"#;
    let prison = Prison::open().await;
    prison.deploy("bomb", hostile(SOURCE).with("memorySize", 3072).with("timeout", 60)).await;
    let seen = prison.invoke("bomb", json!(null)).await;
    let count = seen["seen"].as_u64().unwrap();
    // With process 1, which keeps them.
    assert!((1000..=1025).contains(&count), "{seen}");
    assert_eq!(seen["more"], "EAGAIN");
    prison.check().await;
    prison.close().await;
}

#[tokio::test]
async fn a_function_that_ignores_sigterm_ends_all_the_same() {
    const SOURCE: &str = r#"
import signal

def handler(event, context):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    subprocess.Popen(["sh", "-c", "trap '' TERM INT HUP; while :; do sleep 1; done"])
    time.sleep(60)
"#;
    let prison = Prison::open().await;
    prison.deploy("ignores", hostile(SOURCE).with("timeout", 1)).await;
    let message = prison.failure("ignores", json!(null)).await;
    assert!(message.contains("Function timed out after 1 seconds"), "{message}");
    assert_eq!(prison.strangers(), [0; 0], "gone when the caller is told");

    prison.world.api.update("ignores", hostile(SOURCE).with("timeout", 60)).await;
    prison.world.api.submit_task("ignores", "job", "").await;
    prison.world.api.task_when("ignores", "job", |status| status == "Running").await;
    prison.world.api.stop_task("ignores", "job").await;
    assert_eq!(status(&prison.world.api.settled("ignores", "job").await), "Stopped");
    until("its processes are gone", async || prison.strangers().is_empty().then_some(())).await;
    prison.close().await;
}

#[tokio::test]
async fn who_forks_twice_and_leaves_the_session_ends_with_the_instance() {
    const SOURCE: &str = r#"
import signal

def daemon():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # 10 s, should nothing end it.
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(0.1)
    os._exit(0)

def handler(event, context):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.chdir("/")
            daemon()
        os._exit(0)
    os.wait()
    if event == b'"end"':
        os._exit(3)
    return os.environ["FC_INSTANCE_ID"]
"#;
    let prison = Prison::open().await;
    prison.deploy("forks", hostile(SOURCE)).await;
    let instance = prison.invoke("forks", json!("stay")).await;
    assert_eq!(prison.processes_of(instance.as_str().unwrap()).len(), 2, "it got away from its parent");
    let message = prison.failure("forks", json!("end")).await;
    assert!(message.contains("Process exited unexpectedly"), "{message}");
    assert_eq!(prison.strangers(), [0; 0], "the kernel has ended it with its process 1");
    prison.close().await;
}

#[tokio::test]
async fn memory_of_another_instance_is_out_of_reach() {
    const VICTIM: &str = "def handler(event, context):\n    return os.environ['FC_INSTANCE_ID']\n";
    const THIEF: &str = r#"
PTRACE_ATTACH, PTRACE_DETACH = 16, 17

def attach(pid):
    syscall("ptrace", PTRACE_ATTACH, pid, 0, 0)
    os.waitpid(pid, 0)
    syscall("ptrace", PTRACE_DETACH, pid, 0, 0)

def handler(event, context):
    pid = int(event)
    room = ctypes.create_string_buffer(16)
    pair = (ctypes.c_ulong * 2)(ctypes.addressof(room), 16)
    return dict(
        mem=reads("/proc/%d/mem" % pid),
        maps=reads("/proc/%d/maps" % pid),
        environ=reads("/proc/%d/environ" % pid),
        vm_readv=system("process_vm_readv", pid, pair, 1, pair, 1, 0),
        ptrace=in_child(attach, pid),
        pidfd=outcome(os.pidfd_open, pid),
        signal=outcome(os.kill, pid, 0),
        sees=len(processes()) < 5,
    )
"#;
    let prison = Prison::open().await;
    let instance = prison.attempt("victim", VICTIM, json!(null)).await;
    let victim = prison.processes_of(instance.as_str().unwrap());
    let mut seen = prison.attempt("thief", THIEF, json!(victim[0])).await;
    assert_eq!(seen.as_object_mut().unwrap().remove("sees"), Some(json!(true)), "only its own");
    expect(
        &seen,
        &[
            ("mem", "ENOENT"),
            ("maps", "ENOENT"),
            ("environ", "ENOENT"),
            ("vm_readv", "EPERM"),
            ("ptrace", "EPERM"),
            ("pidfd", "ESRCH"),
            ("signal", "ESRCH"),
        ],
    );
    prison.close().await;
}

#[tokio::test]
async fn process_1_and_the_server_cannot_be_touched() {
    const SOURCE: &str = r#"
import signal

PTRACE_ATTACH = 16

def handler(event, context):
    room = ctypes.create_string_buffer(16)
    pair = (ctypes.c_ulong * 2)(ctypes.addressof(room), 16)
    seen = {name: reads("/proc/1/" + name) for name in ("environ", "mem", "maps", "auxv", "stack")}
    for server in json.loads(event):
        assert outcome(os.kill, server, 0) == "ESRCH", "the server can be signalled"
    return dict(
        seen,
        fd=lists("/proc/1/fd"),
        program=outcome(os.readlink, "/proc/1/exe"),
        score=opens_to_write("/proc/1/oom_score_adj"),
        take_fd=inside(syscall, "pidfd_getfd", 1, 0, 0),
        vm_readv=inside(syscall, "process_vm_readv", 1, pair, 1, pair, 1, 0),
        ptrace=inside(syscall, "ptrace", PTRACE_ATTACH, 1, 0, 0),
        stop_then_kill=[inside(os.kill, 1, signal.SIGSTOP), inside(os.kill, 1, signal.SIGKILL)],
    )
"#;
    let prison = Prison::open().await;
    prison.deploy("touches", hostile(SOURCE)).await;
    let server = prison.world.server.pid();
    let mut seen = prison.invoke("touches", json!([server])).await;
    // With Landlock that knows signals it is refused; without, the kernel drops it for process 1.
    let kills = seen.as_object_mut().unwrap().remove("stop_then_kill");
    assert!(kills == Some(json!(["EPERM", "EPERM"])) || kills == Some(json!(["done", "done"])), "{kills:?}");
    let mut expected: Vec<_> = ["environ", "mem", "maps", "auxv", "stack", "fd", "program", "score"]
        .map(|name| (name, "EACCES"))
        .into();
    expected.extend(["take_fd", "vm_readv", "ptrace"].map(|name| (name, "EPERM")));
    expect(&seen, &expected);
    assert!(prison.invoke("touches", json!([server])).await.is_object(), "the instance runs on");
    prison.close().await;
}

/// What the supervisor of root keeps of root's power, by number (linux/capability.h): CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH,
/// KILL, SETGID, SETUID, SETPCAP, SYS_PTRACE, SYS_ADMIN, SYS_RESOURCE.
const OF_SUPERVISOR: [u32; 10] = [0, 1, 2, 5, 6, 7, 8, 19, 21, 24];

#[tokio::test]
async fn what_is_in_force_is_told_and_the_supervisor_keeps_little() {
    let prison = Prison::open().await;
    let status = prison.world.api.status().await;
    let containment = &status["containment"];
    assert_eq!(containment["sandboxed"], true, "{status:#}");
    let in_force = containment["inForce"].to_string();
    for protection in
        ["file system isolation", "process isolation", "network isolation", "system call filter"]
    {
        assert!(in_force.contains(protection), "{protection}: {containment:#}");
    }
    let supervisors = prison.supervisors();
    assert!(!supervisors.is_empty());
    if is_root() {
        // Root may have less from the beginning, in a container.
        let own = capabilities(std::process::id().into());
        let all = OF_SUPERVISOR.iter().fold(0, |all, number| all | 1_u64 << number);
        let kept = own.map(|set| set & all);
        // Others are the outer one, which only waits for the end, and instances that are being made, in namespaces of theirs.
        let sets: Vec<_> = supervisors.iter().map(|pid| capabilities(*pid)).collect();
        assert!(sets.contains(&kept), "{sets:x?} of {own:x?}");
    }
    prison.close().await;
}

/// The effective and the bounding set of a process.
fn capabilities(pid: u64) -> [u64; 2] {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    ["CapEff:", "CapBnd:"].map(|name| {
        let set = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("0");
        u64::from_str_radix(set.trim(), 16).unwrap()
    })
}

#[tokio::test]
async fn a_forged_frame_on_the_control_socket_ends_only_the_forger() {
    const SOURCE: &str = r#"
import socket, struct

def control():
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("socket:"):
                return int(name)
        except OSError:
            pass

FRAMES = dict(
    noise=b"\xff" * 4096,
    endless=struct.pack("<IB", 0xFFFFFFFF, 18),
    again=struct.pack("<IB", 0, 16),
    unknown_call=struct.pack("<IBI", 4, 18, 4_000_000_000),
    half=struct.pack("<IBI", 400, 18, 1),
)

def handler(event, context):
    kind = json.loads(event)
    if kind == "good":
        return dict(answer="good")
    os.write(control(), FRAMES[kind])
    time.sleep(60)
"#;
    let prison = Prison::open().await;
    prison.deploy("forges", hostile(SOURCE).with("timeout", 3)).await;
    for kind in ["noise", "endless", "again", "unknown_call"] {
        let message = prison.failure("forges", json!(kind)).await;
        assert!(message.contains("Process exited unexpectedly"), "{kind}: {message}");
        assert_eq!(prison.invoke("forges", json!("good")).await["answer"], "good");
    }
    let message = prison.failure("forges", json!("half")).await;
    assert!(message.contains("timed out after 3 seconds"), "{message}");
    prison.close().await;
}
