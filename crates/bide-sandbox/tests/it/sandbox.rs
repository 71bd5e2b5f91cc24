//! Sandboxes against real processes: what a program sees, how it ends, what it leaves behind; as root and, when the
//! tests run as root, once more as an ordinary user (the same tests, run by [`everything_holds_for_an_ordinary_user`]).

mod descriptors;

mod standby;

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bide_sandbox::{Access, LaunchError, LaunchSpec, Launcher, Limits, Mount, Process, SandboxLauncher};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{read_all, read_some, runs, until_gone};

/// Set when the tests are run by another test, as an ordinary user.
const AS_ORDINARY_USER: &str = "BIDE_TEST_AS_ORDINARY_USER";
/// The user `nobody` of most systems.
const ORDINARY_USER: u32 = 65534;

fn shell(script: &str) -> LaunchSpec {
    LaunchSpec {
        env: vec![("PATH".into(), "/usr/bin:/bin".into())],
        ..LaunchSpec::new(["/bin/sh", "-c", script].map(OsString::from).to_vec())
    }
}

/// A program of this crate that can be a supervisor.
fn host_program() -> std::path::PathBuf {
    std::env::var_os("BIDE_TEST_HOST_PROGRAM")
        .unwrap_or_else(|| env!("CARGO_BIN_EXE_bide-sandbox").into())
        .into()
}

async fn launcher() -> SandboxLauncher {
    SandboxLauncher::start(host_program()).await.unwrap()
}

/// What a shell script prints in a sandbox.
async fn output(spec: LaunchSpec) -> String {
    let launcher = launcher().await;
    let mut process = launcher.spawn(spec).await.unwrap();
    read_all(process.take_output().unwrap()).await
}

async fn first_line(process: &mut Process) -> String {
    read_some(process.take_output().unwrap(), |text| text.contains('\n')).await
}

fn read_only(source: &Path, target: &str) -> Mount {
    Mount { source: source.into(), target: target.into(), access: Access::ReadOnly }
}

#[tokio::test]
async fn a_program_sees_itself_alone_and_has_no_power() {
    let spec = LaunchSpec {
        hostname: "c-1".to_owned(),
        ..shell(
            "echo $$; hostname; id -u; id -g; ls /proc | grep -c '^[0-9]'; grep -E '^(Cap(Prm|Eff|Inh|Amb)|NoNewPrivs)' /proc/self/status | tr -d '\\t'",
        )
    };
    let seen = output(spec).await;
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(&lines[..4], ["2", "c-1", "1000", "1000"], "{seen}");
    assert!(lines[4].parse::<u32>().unwrap() <= 5, "process 1, the shell, and the pipe: {seen}");
    let none = "0000000000000000";
    for set in ["CapPrm", "CapEff", "CapInh", "CapAmb"] {
        assert!(lines.contains(&format!("{set}:{none}").as_str()), "{set}: {seen}");
    }
    assert!(lines.contains(&"NoNewPrivs:1"), "{seen}");
}

#[tokio::test]
async fn nothing_of_the_host_is_there_but_its_programs() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    let script = format!(
        "ls -d /usr/bin /etc/passwd /dev/null /tmp; ls {} /etc/shadow /root*/* /home/* /sys/* /var/log 2>/dev/null; \
         grep -c . /etc/passwd; for d in / /usr /etc /dev /code; do touch $d/x 2>/dev/null && echo $d; done; \
         echo > /dev/null && echo written; touch /tmp/x && echo /tmp/x",
        secret.path().display()
    );
    let seen = output(shell(&script)).await;
    assert_eq!(seen, "/dev/null\n/etc/passwd\n/tmp\n/usr/bin\n2\nwritten\n/tmp/x\n");
}

#[tokio::test]
async fn what_is_shown_is_read_only_unless_said_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::write(dir.path().join("index.py"), "code").unwrap();
    std::fs::set_permissions(dir.path().join("index.py"), std::fs::Permissions::from_mode(0o444)).unwrap();
    let writable = Mount { source: dir.path().into(), target: dir.path().into(), access: Access::ReadWrite };
    let deep = read_only(dir.path(), "/var/deep/inside");
    let script = format!(
        "cat index.py /var/deep/inside/index.py; touch new 2>&1 | grep -o 'Read-only'; \
         touch {}/new; ls /code",
        dir.path().display()
    );
    let mounts = vec![read_only(dir.path(), "/code"), deep, writable];
    let spec = LaunchSpec { working_dir: "/code".into(), mounts, ..shell(&script) };
    assert_eq!(output(spec).await, "codecodeRead-only\nindex.py\nnew\n");
    assert!(dir.path().join("new").exists());
}

#[tokio::test]
async fn what_is_written_to_tmp_has_a_quota_and_is_gone_with_the_instance() {
    let launcher = launcher().await;
    let limits = Limits { tmp_bytes_max: 1024 * 1024, ..Limits::default() };
    let script =
        "ls -A /tmp /var/tmp/ /dev/shm/; head -c 4000000 /dev/zero > /tmp/x; echo $?; stat -c %s /tmp/x";
    for _ in 0..2 {
        let mut process = launcher.spawn(LaunchSpec { limits, ..shell(script) }).await.unwrap();
        let seen = read_all(process.take_output().unwrap()).await;
        assert!(seen.contains("No space left on device"), "{seen}");
        assert!(seen.ends_with("\n1\n1048576\n"), "{seen}");
        assert!(!seen.contains("/tmp/x\n"), "what another instance wrote is not there: {seen}");
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_which_step_failed() {
    let launcher = launcher().await;
    let missing = LaunchSpec::new(vec!["/no/such/program".into()]);
    let error = launcher.spawn(missing).await.unwrap_err();
    assert!(
        matches!(&error, LaunchError::Spawn { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    );
    let not_executable = launcher.spawn(LaunchSpec::new(vec!["/etc/passwd".into()])).await.unwrap_err();
    assert!(
        matches!(&not_executable, LaunchError::Spawn { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied)
    );
    let mounts = vec![read_only(Path::new("/no/such/directory"), "/code")];
    let error = launcher.spawn(LaunchSpec { mounts, ..shell("") }).await.unwrap_err();
    assert!(error.to_string().contains("show /no/such/directory"), "{error}");
    let too_long = LaunchSpec::new(vec!["/bin/echo".into(), "x".repeat(100_000).into()]);
    let error = launcher.spawn(too_long).await.unwrap_err();
    assert!(
        matches!(&error, LaunchError::Spawn { source, .. } if source.kind() == std::io::ErrorKind::InvalidInput)
    );
    assert_eq!(launcher.spawn(shell("exit 3")).await.unwrap().handle().exited().await.code, Some(3));
}

#[tokio::test]
async fn an_end_is_told_as_it_was() {
    let launcher = launcher().await;
    for (script, code, signal) in [
        ("exit 0", Some(0), None),
        ("exit 7", Some(7), None),
        ("kill -9 $$", None, Some(9)),
        ("kill -15 $$", None, Some(15)),
    ] {
        let exit = launcher.spawn(shell(script)).await.unwrap().handle().exited().await;
        assert_eq!((exit.code, exit.signal), (code, signal), "{script}");
    }
}

/// Starts a process in a session of its own, by a double fork, that would outlive everything else.
const ESCAPING: &str =
    "(setsid sh -c 'trap \"\" TERM HUP; sleep 1000 & wait' >/dev/null 2>&1 &); sleep 0.05; echo; ";

/// The parent of a process; 0 if it is gone.
fn parent_of(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok()).unwrap_or(0)
}

/// Numbers on this host of `count` processes of the sandbox in which `pid` is the program: process 1 and all beneath it.
async fn members(pid: u32, count: usize) -> Vec<u32> {
    let init = parent_of(pid);
    let is_beneath = |process: u32| {
        let mut above =
            std::iter::successors(Some(process), |pid| Some(parent_of(*pid)).filter(|pid| *pid > 1));
        above.any(|pid| pid == init)
    };
    let list = || {
        let entries = std::fs::read_dir("/proc").unwrap();
        let all = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        all.filter(|process| is_beneath(*process)).collect::<Vec<u32>>()
    };
    loop {
        let found = list();
        if found.len() >= count {
            return found;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn everything_ends_with_the_program_double_forks_included() {
    let launcher = launcher().await;
    let mut process = launcher.spawn(shell(&format!("{ESCAPING} sleep 1000"))).await.unwrap();
    first_line(&mut process).await;
    // Process 1, the shell, the shell that got away and its child.
    let all = members(process.handle().pid(), 4).await;
    process.handle().kill();
    assert_eq!(process.handle().exited().await.signal, Some(9));
    assert!(!all.into_iter().any(runs), "gone before it is told");
}

#[tokio::test]
async fn what_the_program_leaves_ends_when_it_does() {
    let launcher = launcher().await;
    let mut process = launcher.spawn(shell(&format!("{ESCAPING} exit 4"))).await.unwrap();
    // Ends only when nobody holds it any more.
    read_all(process.take_output().unwrap()).await;
    assert_eq!(process.handle().exited().await.code, Some(4));
}

#[tokio::test]
async fn terminate_reaches_everything_and_lets_the_program_end_by_itself() {
    let launcher = launcher().await;
    let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 1000 & wait $!; done 2>/dev/null";
    let mut process = launcher.spawn(shell(script)).await.unwrap();
    first_line(&mut process).await;
    process.handle().terminate();
    assert_eq!(process.handle().exited().await.code, Some(7));
    process.handle().kill(); // harmless when it is gone
}

#[tokio::test]
async fn a_program_cannot_end_or_look_into_process_1() {
    let script = "kill -9 1; kill -STOP 1; cat /proc/1/environ; cat /proc/1/maps; ls /proc/1/fd; cat /proc/1/mem; echo alive";
    let seen = output(shell(script)).await;
    assert_eq!(seen.matches("Permission denied").count(), 4, "{seen}");
    assert!(seen.ends_with("alive\n"), "{seen}");
}

#[tokio::test]
async fn a_dropped_process_is_killed() {
    let launcher = launcher().await;
    let process = launcher.spawn(shell("sleep 1000")).await.unwrap();
    let handle = process.handle();
    assert!(runs(handle.pid()));
    drop(process);
    assert_eq!(handle.exited().await.signal, Some(9));
}

#[tokio::test]
async fn a_launch_that_nobody_waits_for_any_more_is_killed() {
    let launcher = launcher().await;
    let (mark, written) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&mark, true).unwrap();
    let spec = LaunchSpec { control: Some(OwnedFd::from(written)), ..shell("sleep 1000") };
    {
        let mut spawn = launcher.spawn(spec);
        // Once, so that the launch is on its way.
        std::future::poll_fn(|context| {
            assert!(spawn.as_mut().poll(context).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    // Ends when the last holder of the other end, the program, is gone.
    let mut mark = tokio::net::unix::pipe::Receiver::from_owned_fd(mark.into()).unwrap();
    assert_eq!(mark.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test]
async fn the_control_socket_arrives_and_nothing_else() {
    let launcher = launcher().await;
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    let theirs = theirs.into_std().unwrap();
    theirs.set_nonblocking(false).unwrap();
    let script = "echo hello >&$BIDE_CONTROL_FD; ls -1 /proc/self/fd | tr '\\n' ' '";
    let mut spec = shell(script);
    spec.argv[0] = "/bin/bash".into();
    spec.control = Some(theirs.into());
    let mut process = launcher.spawn(spec).await.unwrap();
    // 4 is the directory that `ls` itself reads.
    assert_eq!(read_all(process.take_output().unwrap()).await, "0 1 2 3 4 ");
    let mut buffer = [0; 6];
    let mut ours = ours;
    ours.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"hello\n");
}

#[tokio::test]
async fn the_server_reaches_ports_of_a_network_that_is_the_programs_own() {
    let launcher = launcher().await;
    let host = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = host.local_addr().unwrap().port();
    let program = format!(
        "import socket\n\
         try:\n    socket.create_connection(('127.0.0.1', {port}), 1)\n    print('reached', flush=True)\n\
         except OSError as error:\n    print(error.strerror, flush=True)\n\
         server = socket.create_server(('0.0.0.0', {port}))\n\
         print('listening', flush=True)\n\
         while True:\n    peer, _ = server.accept()\n    peer.sendall(peer.recv(100).upper())\n    peer.close()\n"
    );
    // The same port in both sandboxes, and on the host.
    let mut processes = Vec::new();
    for _ in 0..2 {
        let argv = ["/usr/bin/python3", "-c", &program].map(OsString::from).to_vec();
        let mut process = launcher.spawn(LaunchSpec { argv, ..shell("") }).await.unwrap();
        let output = read_some(process.take_output().unwrap(), |text| text.contains("listening")).await;
        assert_eq!(output, "Connection refused\nlistening\n", "the host's own is out of reach");
        processes.push(process);
    }
    for process in &processes {
        for _ in 0..3 {
            let mut stream = process.handle().connect(port).await.unwrap();
            stream.write_all(b"hello").await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer, "HELLO");
        }
    }
    let refused = processes[0].handle().connect(port - 1).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    processes[0].handle().kill();
    processes[0].handle().exited().await;
    processes[0].handle().connect(port).await.unwrap_err();
}

#[tokio::test]
async fn a_connection_to_a_port_of_a_sandbox_waits_until_the_program_listens() {
    let launcher = launcher().await;
    const PORT: u16 = 9000;
    let program = format!(
        "import socket\n\
         server = socket.create_server(('0.0.0.0', {PORT}))\n\
         while True:\n    peer, _ = server.accept()\n    peer.sendall(b'hello')\n    peer.close()\n"
    );
    let argv = ["/usr/bin/python3", "-c", &program].map(OsString::from).to_vec();
    let process = launcher.spawn(LaunchSpec { argv, ..shell("") }).await.unwrap();
    let handle = process.handle();
    // Asked for and given up, as often as one likes: the answers, late or never, are nobody else's.
    for _ in 0..5 {
        tokio::select! {
            biased;
            _ = handle.connect_to_listener(PORT + 1) => panic!("nobody listens there"),
            () = tokio::task::yield_now() => {}
        }
        tokio::select! {
            biased;
            _ = handle.connect(PORT) => {}
            () = tokio::task::yield_now() => {}
        }
    }
    for _ in 0..3 {
        let mut answer = String::new();
        let mut stream = handle.connect_to_listener(PORT).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "hello");
    }
    let end = async {
        handle.kill();
        handle.exited().await;
    };
    let (waited_in_vain, ()) = tokio::join!(handle.connect_to_listener(PORT + 1), end);
    waited_in_vain.unwrap_err();
    handle.connect_to_listener(PORT).await.unwrap_err();
}

#[tokio::test]
async fn many_at_once_and_each_its_own() {
    let launcher = launcher().await;
    let mut starts = tokio::task::JoinSet::new();
    for number in 0..40 {
        let launcher = launcher.clone();
        starts.spawn(async move {
            let mut process =
                launcher.spawn(shell(&format!("echo {number} > /tmp/x; cat /tmp/x"))).await.unwrap();
            (number, read_all(process.take_output().unwrap()).await)
        });
    }
    for (number, seen) in starts.join_all().await {
        assert_eq!(seen, format!("{number}\n"));
    }
}

#[tokio::test]
async fn when_the_supervisor_dies_everything_is_told_and_the_next_launch_starts_another() {
    let launcher = launcher().await;
    let process = launcher.spawn(shell("sleep 1000")).await.unwrap();
    let pid = process.handle().pid();
    let supervisor = parent_of(parent_of(pid));
    kill_process(Pid::from_raw(supervisor.cast_signed()).unwrap(), Signal::KILL).unwrap();
    assert!(!process.handle().exited().await.is_known());
    until_gone(pid).await;
    assert_eq!(launcher.spawn(shell("exit 5")).await.unwrap().handle().exited().await.code, Some(5));
}

#[test]
fn a_runtime_that_shuts_down_takes_supervisor_and_processes_along() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let process = runtime.block_on(async { launcher().await.spawn(shell("sleep 1000")).await.unwrap() });
    let pid = process.handle().pid();
    let supervisor = parent_of(parent_of(pid));
    drop(runtime);
    while runs(pid) || runs(supervisor) {
        std::thread::yield_now();
    }
}

/// Not a test by itself: the server that [`when_the_server_is_killed_nothing_is_left`] kills.
#[test]
fn server_of_sandboxes_to_be_killed() {
    if std::env::var_os(crate::AS_SERVER).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let launcher = launcher().await;
        let mut process = launcher.spawn(shell(&format!("{ESCAPING} sleep 1000"))).await.unwrap();
        first_line(&mut process).await;
        println!("\nchild {}", process.handle().pid());
        process.handle().exited().await;
    });
}

#[tokio::test]
async fn when_the_server_is_killed_nothing_is_left() {
    let (mut server, child) = crate::start_server("sandbox::server_of_sandboxes_to_be_killed");
    let mut all = members(child, 4).await;
    let supervisor = parent_of(parent_of(child));
    all.extend([supervisor, parent_of(supervisor)]);
    server.kill().unwrap();
    server.wait().unwrap();
    for pid in all {
        until_gone(pid).await;
    }
}

#[tokio::test]
async fn a_program_that_is_no_supervisor_is_refused_in_time() {
    let error = SandboxLauncher::start("/bin/true".into()).await.unwrap_err();
    assert!(matches!(error, LaunchError::Closed | LaunchError::Sandbox { .. }), "{error:?}");
    let error = SandboxLauncher::start("/no/such/program".into()).await.unwrap_err();
    assert!(error.to_string().contains("start the supervisor"), "{error}");
}

#[tokio::test]
async fn a_probe_makes_a_sandbox() {
    launcher().await.probe().await.unwrap();
}

/// Runs the tests of this file once more, as somebody without privilege.
#[test]
fn everything_holds_for_an_ordinary_user() {
    if !rustix::process::geteuid().is_root() || std::env::var_os(AS_ORDINARY_USER).is_some() {
        return;
    }
    use std::os::unix::process::CommandExt as _;
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let copy = |from: &Path, name: &str| {
        let to = dir.path().join(name);
        std::fs::copy(from, &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o755)).unwrap();
        to
    };
    let tests = copy(&std::env::current_exe().unwrap(), "tests");
    let program = copy(&host_program(), "program");
    let output = std::process::Command::new(tests)
        .arg("sandbox::")
        .env(AS_ORDINARY_USER, "1")
        .env("BIDE_TEST_HOST_PROGRAM", program)
        .env("TMPDIR", dir.path())
        .current_dir("/")
        .uid(ORDINARY_USER)
        .gid(ORDINARY_USER)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains(" 0 ignored"), "{text}");
}
