//! Files: what there is to see, what can be changed, and how much can be written.

use serde_json::json;

use super::packages::{fields, set_mode, zip_of};
use super::prison::{ATTEMPTS, Prison, expect};
use crate::support::{KEY_SECRET, text};

const MIB: u64 = 1024 * 1024;

#[tokio::test]
async fn the_hosts_secrets_are_not_there() {
    const SOURCE: &str = r#"
def handler(event, context):
    return dict(
        shadow=reads("/etc/shadow"),
        through_root=reads("/proc/self/root/etc/shadow"),
        up=reads("/code/" + "../" * 20 + "etc/shadow"),
        ssh=lists("/etc/ssh"),
        users=outcome(lambda: [line.split(":")[0] for line in open("/etc/passwd")]),
        home=lists("/home"),
        run=lists("/run"),
        var=lists("/var"),
        boot=lists("/boot"),
        system=lists("/sys"),
        memory=reads("/proc/kcore"),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("looks", SOURCE, json!(null)).await;
    expect(
        &seen,
        &[
            ("shadow", "ENOENT"),
            ("through_root", "ENOENT"),
            ("up", "ENOENT"),
            ("ssh", "ENOENT"),
            ("users", "done: ['user', 'nobody']"),
            ("home", "done: []"),
            ("run", "done: []"),
            ("var", "done: ['bide', 'tmp']"),
            ("boot", "ENOENT"),
            ("system", "ENOENT"),
            ("memory", "ENOENT"),
        ],
    );
    prison.close().await;
}

#[tokio::test]
async fn the_data_directory_and_the_servers_secrets_are_out_of_reach() {
    const SOURCE: &str = r#"
def handler(event, context):
    data = event.decode().strip('"')
    sources = [line.split()[3] for line in open("/proc/self/mountinfo")]
    inner = [path for path in sources if "/cache" in path]
    environments = "".join(reads("/proc/%d/environ" % pid) for pid in processes())
    return dict(
        listed=lists(data),
        cache=lists(data + "/cache"),
        credentials=reads(data + "/credentials.toml"),
        made=makes(data + "/x"),
        from_outer_root=lists("/proc/1/root" + data),
        from_outer_place=lists("/proc/1/cwd" + data),
        # The kernel tells where the code comes from; the path leads nowhere.
        by_mount=sorted({lists(path) for path in inner}),
        secrets=environments.count("SECRET_OF_SERVER"),
    )
"#;
    let prison = Prison::open().await;
    let source = SOURCE.replace("SECRET_OF_SERVER", KEY_SECRET);
    let mut seen = prison.attempt("looks", &source, json!(prison.data_dir())).await;
    let fields = seen.as_object_mut().unwrap();
    assert_eq!(fields.remove("by_mount"), Some(json!(["ENOENT"])));
    assert_eq!(fields.remove("secrets"), Some(json!(0)));
    expect(
        &seen,
        &[
            ("listed", "ENOENT"),
            ("cache", "ENOENT"),
            ("credentials", "ENOENT"),
            ("made", "ENOENT"),
            ("from_outer_root", "EACCES"),
            ("from_outer_place", "EACCES"),
        ],
    );
    prison.close().await;
}

#[tokio::test]
async fn files_of_another_instance_are_out_of_reach() {
    const VICTIM: &str = r#"
def handler(event, context):
    with open("/tmp/bide-escape-secret", "w") as file:
        file.write("secret")
    os.chmod("/tmp/bide-escape-secret", 0o644)
    return os.environ["FC_INSTANCE_ID"]
"#;
    const THIEF: &str = r#"
def handler(event, context):
    victim = event.decode()
    return dict(
        same_path=reads("/tmp/bide-escape-secret"),
        through_process=reads("/proc/%s/root/tmp/bide-escape-secret" % victim),
        through_place=lists("/proc/%s/cwd" % victim),
        code=lists("/proc/%s/fd" % victim),
    )
"#;
    let prison = Prison::open().await;
    let instance = prison.attempt("victim", VICTIM, json!(null)).await;
    let victim = prison.processes_of(instance.as_str().unwrap());
    assert_eq!(victim.len(), 1);
    let seen = prison.attempt("thief", THIEF, json!(victim[0])).await;
    let _ = std::fs::remove_file("/tmp/bide-escape-secret"); // there only without a sandbox
    expect(
        &seen,
        &[
            ("same_path", "ENOENT"),
            ("through_process", "ENOENT"),
            ("through_place", "ENOENT"),
            ("code", "ENOENT"),
        ],
    );
    prison.close().await;
}

#[tokio::test]
async fn what_is_shown_cannot_be_changed() {
    const SOURCE: &str = r#"
MS_REMOUNT, MS_BIND = 32, 4096

def handler(event, context):
    return dict(
        new_code=makes("/code/x"),
        own_code=opens_to_write("/code/index.py"),
        mode=outcome(os.chmod, "/code/index.py", 0o644),
        program=makes("/usr/bin/bide-escape-test"),
        library=makes("/usr/lib/bide-escape-test"),
        layer=makes("/opt/bide-escape-test"),
        etc=makes("/etc/bide-escape-test"),
        users=opens_to_write("/etc/passwd"),
        root=makes("/bide-escape-test"),
        device=makes("/dev/bide-escape-test"),
        remount=inside(syscall, "mount", b"none", b"/code", b"none", MS_REMOUNT | MS_BIND, 0),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("writes", SOURCE, json!(null)).await;
    let mut expected: Vec<_> = ["new_code", "own_code", "mode", "program", "library", "layer"]
        .into_iter()
        .chain(["etc", "users", "root", "device"])
        .map(|name| (name, "EROFS"))
        .collect();
    expected.push(("remount", "EPERM"));
    // A user without privilege is told so first, where Landlock does not answer before both.
    let mut seen = seen;
    for (name, _) in &expected {
        if seen[*name] == "EACCES" {
            seen[*name] = "EROFS".into();
        }
    }
    expect(&seen, &expected);
    prison.close().await;
}

#[tokio::test]
async fn setuid_programs_give_nothing() {
    const SOURCE: &str = r#"
import stat

def capabilities():
    lines = dict(line.split(":", 1) for line in open("/proc/self/status"))
    names = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"]
    return [int(lines[name].strip(), 16) for name in names], lines["NoNewPrivs"].strip()

def handler(event, context):
    found = [os.path.join("/usr/bin", name) for name in os.listdir("/usr/bin")]
    found = [path for path in found if os.path.isfile(path) and os.stat(path).st_mode & (stat.S_ISUID | stat.S_ISGID)]
    owns = subprocess.run(["/code/setuid"], capture_output=True, text=True).stdout.split()
    su = subprocess.run(["/usr/bin/su", "-c", "id -u"], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    without = [path for path in ("/usr", "/code", "/tmp", "/proc") if not os.statvfs(path).f_flag & os.ST_NOSUID]
    sets, no_new = capabilities()
    return dict(
        host_has=len(found) > 0,
        su=su.stdout,
        own_mode=oct(os.stat("/code/setuid").st_mode & 0o7000),
        own=owns,
        without_nosuid=without,
        capabilities=sets,
        no_new_privileges=no_new,
        setuid=outcome(os.setuid, 0),
    )
"#;
    let prison = Prison::open().await;
    let source = format!("from attempts import *\n{SOURCE}");
    let mut zip = zip_of(&[
        ("index.py", source.as_bytes(), 0o644),
        ("attempts.py", ATTEMPTS.as_bytes(), 0o644),
        ("setuid", &std::fs::read("/usr/bin/id").unwrap(), 0o755),
    ]);
    set_mode(&mut zip, "setuid", 0o106_755);
    prison.upload(&fields("setuid", &zip)).await.expect("accepted");
    let seen = prison.invoke("setuid", json!(null)).await;
    assert_eq!(seen["host_has"], true, "there is something to try");
    assert_eq!(seen["su"], "", "{seen}");
    assert_eq!(seen["own_mode"], "0o0");
    assert_eq!(seen["own"][0], "uid=1000(user)", "{seen}");
    assert!(!seen["own"].to_string().contains("euid"), "{seen}");
    assert_eq!(seen["without_nosuid"], json!([]));
    assert_eq!(seen["capabilities"], json!([0, 0, 0, 0, 0]));
    assert_eq!(seen["no_new_privileges"], "1");
    // User 0 does not exist there.
    assert_eq!(seen["setuid"], "EINVAL");
    prison.close().await;
}

#[tokio::test]
async fn devices_cannot_be_made_or_opened() {
    const SOURCE: &str = r#"
import stat

def device(kind, major, minor):
    def make():
        os.mknod("/tmp/device", kind | 0o600, os.makedev(major, minor))
        os.unlink("/tmp/device")

    return outcome(make)

def handler(event, context):
    return dict(
        disk=device(stat.S_IFBLK, 8, 0),
        memory=device(stat.S_IFCHR, 1, 1),
        tunnel=opens_to_write("/dev/net/tun"),
        log=reads("/dev/kmsg"),
        fuse=opens_to_write("/dev/fuse"),
        terminal=opens_to_write("/dev/tty"),
        listed=lists("/dev"),
    )
"#;
    let prison = Prison::open().await;
    let mut seen = prison.attempt("devices", SOURCE, json!(null)).await;
    for name in ["disk", "memory"] {
        // By Landlock, or by the kernel itself.
        assert!(seen[name] == "EPERM" || seen[name] == "EACCES", "{seen}");
        seen[name] = "refused".into();
    }
    let listed = ["fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "urandom", "zero"];
    let listed = format!("done: {listed:?}").replace('"', "'");
    expect(
        &seen,
        &[
            ("disk", "refused"),
            ("memory", "refused"),
            ("tunnel", "ENOENT"),
            ("log", "ENOENT"),
            ("fuse", "ENOENT"),
            ("terminal", "ENOENT"),
            ("listed", &listed),
        ],
    );
    prison.close().await;
}

#[tokio::test]
async fn a_disk_filler_fills_its_own_quota() {
    const SOURCE: &str = r#"
MIB = 1 << 20

def fill(place):
    """Mebibytes until there is no room, and how it ended."""
    path, block, written = place + "/bide-escape-filler", bytes(MIB), 0
    try:
        with open(path, "wb", buffering=0) as file:
            while written < 600 * MIB:
                written += file.write(block)
        return written // MIB, "no end"
    except OSError as error:
        return written // MIB, errno.errorcode[error.errno]
    finally:
        os.unlink(path)

def crowd(place):
    """The same with empty files."""
    os.mkdir(place)
    made = []
    try:
        while len(made) < 80_000:
            path = "%s/%d" % (place, len(made))
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            made.append(path)
        return len(made), "no end"
    except OSError as error:
        return len(made), errno.errorcode[error.errno]
    finally:
        for path in made:
            os.unlink(path)
        os.rmdir(place)

def handler(event, context):
    return fill("/tmp"), fill("/dev/shm"), crowd("/tmp/bide-escape-crowd")
"#;
    const WRITES: &str = r#"
def handler(event, context):
    with open("/tmp/own", "wb") as file:
        return file.write(bytes(100 << 20))
"#;
    let prison = Prison::open().await;
    prison.deploy("writes", super::prison::hostile(WRITES)).await;
    let seen = prison.attempt("fills", SOURCE, json!(null)).await;
    let quota = 512;
    for place in [0, 1] {
        let (written, end) = (seen[place][0].as_u64().unwrap(), &seen[place][1]);
        assert!((quota - 8..=quota).contains(&written) && end == "ENOSPC", "{seen}");
    }
    assert!(seen[2][0].as_u64().unwrap() < 70_000 && seen[2][1] == "ENOSPC", "{seen}");
    let other = prison.world.api.invoke("writes", "").await;
    assert_eq!(text(&other), (100 * MIB).to_string(), "another instance has all of its own");
    prison.close().await;
}

#[tokio::test]
async fn no_descriptor_leads_out() {
    const SOURCE: &str = r#"
import stat

AT_FDCWD, MNT_DETACH = -100, 2

def handler(event, context):
    open_ones = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            open_ones[int(name)] = os.stat(int(name)).st_mode
        except OSError:
            pass  # the one that listed them
    return dict(
        directories=outcome(lambda: sorted(fd for fd, mode in open_ones.items() if stat.S_ISDIR(mode))),
        leads=outcome(lambda: sorted({os.readlink("/proc/self/fd/%d" % fd) for fd in open_ones if fd < 3})[:1]),
        chroot=inside(syscall, "chroot", b"/tmp"),
        by_handle=system("open_by_handle_at", AT_FDCWD, ctypes.create_string_buffer(128), 0),
        handle_of=system("name_to_handle_at", AT_FDCWD, b"/", ctypes.create_string_buffer(128), ctypes.create_string_buffer(8), 0),
        outer_root=outcome(os.readlink, "/proc/1/root"),
        outer_files=lists("/proc/1/fd"),
        old_root=inside(syscall, "umount2", b"/", MNT_DETACH),
        pivot=inside(syscall, "pivot_root", b".", b"."),
    )
"#;
    let prison = Prison::open().await;
    let seen = prison.attempt("descriptors", SOURCE, json!(null)).await;
    expect(
        &seen,
        &[
            ("directories", "done: []"),
            ("leads", "done: ['/dev/null']"),
            ("chroot", "EPERM"),
            ("by_handle", "EPERM"),
            ("handle_of", "EPERM"),
            ("outer_root", "EACCES"),
            ("outer_files", "EACCES"),
            ("old_root", "EPERM"),
            ("pivot", "EPERM"),
        ],
    );
    prison.close().await;
}
