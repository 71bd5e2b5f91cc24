//! Resources: taking all that there is of something.

use serde_json::{Value, json};

use super::prison::{Prison, has_memory_groups, hostile, is_root};
use crate::support::text;

const OUT_OF_MEMORY: &str = "used more memory than its limit of 128 MB";

#[tokio::test]
async fn a_memory_hog_is_ended_whichever_way_it_takes_memory() {
    const SOURCE: &str = r#"
import mmap

MIB = 1 << 20

def own():
    hog = bytearray(400 * MIB)
    hog[::4096] = b"1" * len(hog[::4096])
    time.sleep(30)

def children():
    for _ in range(8):
        if os.fork() == 0:
            hog = os.urandom(50 * MIB)
            time.sleep(30)
            os._exit(len(hog) % 2)
    time.sleep(30)

def shared():
    hog = mmap.mmap(-1, 400 * MIB)
    for at in range(0, len(hog), 4096):
        hog[at] = 1
    time.sleep(30)

def handler(event, context):
    return globals()[json.loads(event)]()
"#;
    let prison = Prison::open().await;
    prison.deploy("hog", hostile(SOURCE).with("memorySize", 128)).await;
    for kind in ["own", "children", "shared"] {
        let message = prison.failure("hog", json!(kind)).await;
        assert!(message.contains(OUT_OF_MEMORY), "{kind}: {message}");
        assert_eq!(prison.strangers(), [0; 0], "{kind}: all of it is gone");
    }
    // While its code is loaded.
    prison.deploy("early", hostile(&format!("{SOURCE}\nown()\n")).with("memorySize", 128)).await;
    let message = prison.failure("early", json!(null)).await;
    assert!(message.contains(OUT_OF_MEMORY), "{message}");
    prison.close().await;
}

#[tokio::test]
async fn memory_that_no_process_maps_is_bounded_too() {
    const SOURCE: &str = r#"
MIB = 1 << 20

def hidden_file():
    file, block = os.memfd_create("hog"), bytes(MIB)
    for _ in range(1024):
        os.write(file, block)
    return "no end"

def segment():
    identifier = syscall("shmget", 0, 1024 * MIB, 0o1600)
    libc.shmat.restype = ctypes.c_void_p
    at = libc.shmat(identifier, None, 0)
    for part in range(0, 1024 * MIB, 64 * MIB):
        ctypes.memset(at + part, 1, 64 * MIB)
    libc.shmctl(identifier, 0, None)
    return "no end"

def queues():
    return "made" if syscall("msgget", 0, 0o1600) >= 0 else ""

def handler(event, context):
    return outcome(globals()[json.loads(event)])
"#;
    let prison = Prison::open().await;
    prison.deploy("hog", hostile(SOURCE).with("memorySize", 128)).await;
    let counted = has_memory_groups(&prison).await;
    for kind in ["hidden_file", "segment"] {
        if counted {
            // The kernel bounds it together with `/tmp`.
            let message = prison.failure("hog", json!(kind)).await;
            assert!(message.contains(OUT_OF_MEMORY), "{kind}: {message}");
        } else {
            // Nobody could count it, so there is none.
            assert_eq!(prison.invoke("hog", json!(kind)).await, "ENOSYS", "{kind}");
        }
    }
    let queues = prison.invoke("hog", json!("queues")).await;
    assert_eq!(queues == "ENOSYS", !counted, "{queues}");
    prison.close().await;
}

#[tokio::test]
async fn a_descriptor_leak_reaches_its_limit() {
    const SOURCE: &str = r#"
def handler(event, context):
    held = []
    try:
        while len(held) < 200_000:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return len(held), errno.errorcode[error.errno]
    finally:
        for descriptor in held:
            os.close(descriptor)
"#;
    let prison = Prison::open().await;
    prison.deploy("leaks", hostile(SOURCE).with("memorySize", 1024)).await;
    let seen = prison.invoke("leaks", json!(null)).await;
    assert!(seen[0].as_u64().unwrap() <= 100_000 && seen[1] == "EMFILE", "{seen}");
    prison.close().await;
}

/// Takes as many of something as it gets and holds them; another instance then wants one.
async fn hoarded(kind: &str) -> (Value, Value) {
    const SOURCE: &str = r#"
import array, select, socket

held = []

def inotify():
    descriptor = libc.inotify_init1(0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "inotify")
    held.append(descriptor)

def watches():
    held or inotify()
    os.makedirs("/tmp/w", exist_ok=True)
    for number in range(1000):
        name = "/tmp/w/%d" % len(held)
        os.close(os.open(name, os.O_CREAT))
        if libc.inotify_add_watch(held[0], name.encode(), 2) < 0:
            raise OSError(ctypes.get_errno(), "watch")
        held.append(name)

def in_flight():
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    held.extend([here, there])
    files = array.array("i", [here.fileno()] * 250)
    here.setblocking(False)
    for _ in range(8):
        here.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])

def queue():
    name = b"/%d" % len(held)
    descriptor = libc.mq_open(name, os.O_RDWR | os.O_CREAT, 0o600, None)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "mq_open")
    held.append(descriptor)
    libc.mq_unlink(name)

def handler(event, context):
    kind, most = json.loads(event)
    try:
        for taken in range(most):
            globals()[kind]()
        return most, "no end"
    except OSError as error:
        return taken, errno.errorcode.get(error.errno)
"#;
    let prison = Prison::open().await;
    let function = || hostile(SOURCE).with("memorySize", 1024).with("diskSize", 10_240);
    prison.deploy("hoards", function()).await;
    prison.deploy("wants", function()).await;
    let hoarder = prison.invoke("hoards", json!([kind, 2000])).await;
    // A new instance: starting it takes some of everything, too.
    let other = prison.invoke("wants", json!([kind, 1])).await;
    prison.close().await;
    (hoarder, other)
}

#[tokio::test]
async fn watchers_of_files_are_hoarded_by_each_on_its_own() {
    let (hoarder, other) = hoarded("inotify").await;
    assert_eq!(hoarder[1], "EMFILE", "{hoarder}");
    assert_eq!(other, json!([1, "no end"]));
    let (hoarder, other) = hoarded("watches").await;
    assert_eq!(hoarder[1], "ENOSPC", "{hoarder}");
    assert_eq!(other, json!([1, "no end"]));
}

#[tokio::test]
async fn descriptors_under_way_are_hoarded_by_each_on_its_own() {
    let (hoarder, other) = hoarded("in_flight").await;
    assert_eq!(hoarder[1], "ETOOMANYREFS", "{hoarder}");
    // The other has started, which takes descriptors that the server sends. An ordinary user's instances share the number
    // of their own, so it may have none left to send by itself.
    assert!(other == json!([1, "no end"]) || !is_root() && other == json!([0, "ETOOMANYREFS"]), "{other}");
}

#[tokio::test]
async fn message_queues_are_hoarded_by_each_on_its_own() {
    let (hoarder, other) = hoarded("queue").await;
    // Landlock knows no place where they could be: then nobody has any.
    let none = json!([0, "EACCES"]);
    assert!(
        (&hoarder, &other) == (&none, &none) || hoarder[1] == "EMFILE" && other[0] == 1,
        "{hoarder} {other}"
    );
}

/// Resident memory of the server, in mebibytes.
fn server_memory(prison: &Prison) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", prison.world.server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn endless_output_and_endless_lines_are_cut_and_cost_the_server_nothing() {
    const SOURCE: &str = r#"
def handler(event, context):
    block, end = json.loads(event).encode() * 16384, time.monotonic() + 60
    while time.monotonic() < end:
        os.write(1, block)
"#;
    let prison = Prison::open().await;
    prison.deploy("prints", hostile(SOURCE).with("timeout", 2)).await;
    let before = server_memory(&prison);
    for text_of_line in ["x", "x\n", "\u{0}"] {
        let message = prison.failure("prints", json!(text_of_line)).await;
        assert!(message.contains("timed out after 2 seconds"), "{message}");
        let grown = server_memory(&prison).saturating_sub(before);
        assert!(grown < 64, "the server grew by {grown} MiB");
    }
    let log = prison.world.server.log();
    assert!(log.len() < 4_000_000, "{} bytes in the server's own log", log.len());
    prison.close().await;
}

#[tokio::test]
async fn who_computes_on_all_processors_leaves_others_their_share() {
    const SOURCE: &str = r#"
def handler(event, context):
    for _ in range(16):
        if os.fork() == 0:
            end = time.monotonic() + 20
            while time.monotonic() < end:
                pass
            os._exit(0)
    return "busy"
"#;
    let prison = Prison::open().await;
    prison.deploy("computes", hostile(SOURCE).with("memorySize", 512)).await;
    assert_eq!(prison.invoke("computes", json!(null)).await, "busy");
    for _ in 0..10 {
        prison.check().await;
    }
    prison.close().await;
}

#[tokio::test]
async fn a_result_without_end_is_refused() {
    const SOURCE: &str = r#"
def handler(event, context):
    return "x" * (64 << 20)
"#;
    let prison = Prison::open().await;
    prison.deploy("huge", hostile(SOURCE).with("memorySize", 1024)).await;
    let answer = prison.world.api.invoke("huge", "").await;
    assert_eq!(answer.header("x-fc-error-type"), "UnhandledInvocationError", "{} bytes", answer.body.len());
    assert!(answer.body.len() < 4096, "{}", text(&answer));
    prison.close().await;
}
