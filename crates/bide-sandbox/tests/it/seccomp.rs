//! The system call filter against the kernel: what it refuses, and that programs run under it as before.

#![allow(unsafe_code)]

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio};

use bide_sandbox::seccomp::Filter;
use libc::{ENOSYS, EPERM, c_int, c_long};

/// An address and a number that no call accepts: should the filter fail, nothing happens to this machine.
const BAD: c_long = -1;
/// `SOCK_PACKET` of linux/net.h, long out of use.
const SOCK_PACKET: c_int = 10;
const NO_ARGS: [c_long; 6] = [BAD; 6];

fn under_filter(command: &mut Command) -> &mut Command {
    let filter = Filter::build(true).unwrap();
    // SAFETY: plain system calls; the filter was built before the fork.
    unsafe {
        command.pre_exec(move || {
            libc::setsid();
            if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 {
                return Err(io::Error::last_os_error());
            }
            filter.install()
        })
    }
}

fn run(program: &str, args: &[&str]) -> Output {
    let output = under_filter(Command::new(program).args(args).stdin(Stdio::null())).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    output
}

/// What a list of calls comes to under the filter: each return value, negated errors.
fn attempt(calls: Vec<(c_long, [c_long; 6])>) -> Vec<c_int> {
    let mut command = Command::new("/bin/true");
    under_filter(command.stdin(Stdio::null()).stdout(Stdio::piped()));
    // SAFETY: plain system calls on numbers; the vector was made before the fork.
    unsafe {
        command.pre_exec(move || {
            for &(number, [a, b, c, d, e, f]) in &calls {
                let result = libc::syscall(number, a, b, c, d, e, f);
                let error = if result < 0 { *libc::__errno_location() } else { 0 };
                libc::write(1, (&raw const error).cast(), size_of::<c_int>());
            }
            Ok(())
        });
    }
    let output = command.output().unwrap();
    output.stdout.chunks_exact(4).map(|bytes| c_int::from_ne_bytes(bytes.try_into().unwrap())).collect()
}

macro_rules! numbers {
    ($($call:ident)*) => { vec![$((stringify!($call), libc::$call)),*] };
}

#[test]
fn refused_calls_get_eperm() {
    let mut calls = numbers! {
        SYS_mount SYS_umount2 SYS_pivot_root SYS_chroot SYS_open_tree SYS_move_mount SYS_fsopen SYS_fsconfig SYS_fsmount
        SYS_fspick SYS_mount_setattr SYS_unshare SYS_setns SYS_ptrace SYS_process_vm_readv SYS_process_vm_writev SYS_kcmp
        SYS_pidfd_getfd SYS_bpf SYS_perf_event_open SYS_userfaultfd SYS_io_uring_setup SYS_io_uring_enter
        SYS_io_uring_register SYS_add_key SYS_request_key SYS_keyctl SYS_kexec_load SYS_kexec_file_load SYS_init_module
        SYS_finit_module SYS_delete_module SYS_reboot SYS_swapon SYS_swapoff SYS_acct SYS_syslog SYS_sethostname
        SYS_setdomainname SYS_settimeofday SYS_clock_settime SYS_adjtimex SYS_clock_adjtime SYS_quotactl SYS_quotactl_fd
        SYS_vhangup SYS_fanotify_init SYS_fanotify_mark SYS_name_to_handle_at SYS_open_by_handle_at SYS_sync SYS_syncfs
        SYS_ioprio_set SYS_mbind SYS_set_mempolicy SYS_migrate_pages SYS_move_pages
    };
    if cfg!(target_arch = "x86_64") {
        calls.extend(numbers! { SYS_iopl SYS_ioperm SYS_modify_ldt });
    }
    let errors = attempt(calls.iter().map(|(_, number)| (*number, NO_ARGS)).collect());
    assert_eq!(errors.len(), calls.len());
    let passed: Vec<_> = calls.iter().zip(errors).filter(|(_, error)| *error != EPERM).collect();
    assert!(passed.is_empty(), "{passed:?}");
}

#[test]
fn unknown_and_absent_calls_get_enosys() {
    let numbers =
        [libc::SYS_clone3, libc::SYS_io_setup, libc::SYS_process_madvise, libc::SYS_memfd_secret, 5000];
    let errors = attempt(numbers.map(|number| (number, NO_ARGS)).to_vec());
    assert_eq!(errors, [ENOSYS; 5]);
}

#[test]
fn arguments_decide_where_the_call_itself_is_allowed() {
    let socket = |family: c_int, kind: c_int, protocol: c_int| {
        (libc::SYS_socket, [family.into(), kind.into(), protocol.into(), 0, 0, 0])
    };
    let flags = |flags: c_int| (libc::SYS_clone, [flags.into(), 0, 0, 0, 0, 0]);
    let first = |call, value| (call, [value, 0, 0, 0, 0, 0]);
    let high = 1 << 40; // the kernel does not look at these bits; neither must the filter
    let refused = [
        socket(libc::AF_VSOCK, libc::SOCK_STREAM, 0),
        socket(libc::AF_PACKET, libc::SOCK_RAW, 0),
        socket(libc::AF_ALG, libc::SOCK_SEQPACKET, 0),
        socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_ICMP),
        socket(libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_ICMP),
        socket(libc::AF_INET, SOCK_PACKET, 0),
        socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_NETFILTER),
        flags(libc::CLONE_NEWUSER),
        flags(libc::CLONE_NEWNS | libc::SIGCHLD),
        flags(libc::CLONE_NEWNET),
        (libc::SYS_ioctl, [0, 0x5412, 0, 0, 0, 0]),
        (libc::SYS_ioctl, [0, 0x5412 | high, 0, 0, 0, 0]),
        first(libc::SYS_personality, 0x0040_0000),
        first(libc::SYS_personality, 0x0004_0000 | high),
    ];
    assert_eq!(attempt(refused.to_vec()), [EPERM; 14]);
    let allowed = [
        socket(libc::AF_UNIX, libc::SOCK_DGRAM, 0),
        socket(libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_NONBLOCK, 0),
        socket(libc::AF_INET6, libc::SOCK_DGRAM, 0),
        socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE),
        first(libc::SYS_personality, 0xffff_ffff),
        first(libc::SYS_personality, 0),
    ];
    assert_eq!(attempt(allowed.to_vec()), [0; 6]);
}

/// A 32-bit system call would be read by another table.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_of_a_32_bit_program_ends_the_process() {
    let mut command = Command::new("/bin/true");
    under_filter(command.stdin(Stdio::null()));
    // SAFETY: getpid of the 32-bit table; it takes no arguments and touches no memory.
    unsafe {
        command.pre_exec(|| {
            std::arch::asm!("int 0x80", inout("eax") 20 => _, options(nostack));
            Ok(())
        });
    }
    // The process ended before it could be another program, and without a word.
    let status = command.status();
    assert!(status.as_ref().is_ok_and(|status| status.signal() == Some(libc::SIGSYS)), "{status:?}");
}

#[test]
fn an_ordinary_user_can_be_put_under_it() {
    let mut command = Command::new("/usr/bin/id");
    command.arg("-u").stdin(Stdio::null());
    if rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
    }
    let output = under_filter(&mut command).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_ne!(output.stdout, b"0\n");
}

#[test]
fn the_shell_and_its_tools_run() {
    let script = "set -e; d=$(mktemp -d); cd $d; echo b >a; cp a c; mv c d; ln -s d e; sort a d | uniq -c | sed s/b/x/; \
                  (sleep 0; kill -0 $$) & wait; find . -type l; tar cf t a d; tar tf t >/dev/null; chmod 600 a; rm -r $d; \
                  ls /proc/self >/dev/null; date >/dev/null; trap : USR1; kill -USR1 $$";
    let output = run("/bin/bash", &["-c", script]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "      2 x\n./e\n");
}

#[test]
fn python_runs() {
    let program = r"
import asyncio, concurrent.futures, multiprocessing, os, socket, sqlite3, ssl, subprocess, tempfile, threading
import mmap, select, signal, time, ctypes

def double(x):
    return 2 * x

async def echo():
    async def serve(reader, writer):
        writer.write(await reader.readline()); await writer.drain(); writer.close()
    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b'hello\n')
    line = await reader.readline()
    writer.close(); server.close()
    process = await asyncio.create_subprocess_exec('/bin/echo', 'child', stdout=subprocess.PIPE)
    return line + (await process.communicate())[0]

if __name__ == '__main__':
    assert asyncio.run(echo()) == b'hello\nchild\n'
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert list(pool.map(double, range(4))) == [0, 2, 4, 6]
    with multiprocessing.get_context('fork').Pool(2) as pool:
        assert pool.map(double, range(4)) == [0, 2, 4, 6]
    with tempfile.TemporaryDirectory() as directory:
        database = sqlite3.connect(directory + '/x'); database.execute('create table t(a)'); database.commit()
        os.symlink('x', directory + '/y'); os.rename(directory + '/y', directory + '/z')
    assert socket.getaddrinfo('localhost', 80)
    ssl.create_default_context()
    mmap.mmap(-1, 4096).write(b'x')
    signal.raise_signal(signal.SIGCHLD)
    os.sched_getaffinity(0)
    try:
        ctypes.CDLL(None, use_errno=True).unshare(0x10000000) == -1 or exit(9)
    except PermissionError:
        pass
    print('done')
";
    let output = run("python3", &["-c", program]);
    assert_eq!(output.stdout, b"done\n", "{output:?}");
}

#[test]
fn node_runs() {
    let program = r"
const { Worker } = require('worker_threads');
const { execFileSync } = require('child_process');
const http = require('http'), fs = require('fs'), os = require('os'), zlib = require('zlib'), crypto = require('crypto');
async function main() {
  const server = http.createServer((request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await new Promise(done => server.on('listening', done));
  const text = await (await fetch(`http://127.0.0.1:${server.address().port}/`)).text();
  server.close();
  const answer = await new Promise((done, failed) => {
    const worker = new Worker('require(`worker_threads`).parentPort.postMessage(6 * 7)', { eval: true });
    worker.on('message', done).on('error', failed);
  });
  const child = execFileSync('/bin/echo', ['child']).toString();
  const directory = await fs.promises.mkdtemp(os.tmpdir() + '/x');
  await fs.promises.writeFile(directory + '/a', zlib.gzipSync(crypto.randomBytes(100000)));
  await fs.promises.rm(directory, { recursive: true });
  let sum = 0;
  for (let i = 0; i < 1e6; i++) sum += i % 7; // long enough to be compiled
  new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
  console.log(text, answer, child.trim(), sum > 0);
}
main();
";
    let output = run("node", &["-e", program]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "hello 42 child true\n");
}

#[test]
fn other_runtimes_run() {
    for (program, args) in
        [("go", ["env", "GOOS"]), ("java", ["-Xmx64m", "-version"]), ("perl", ["-e", "fork; wait"])]
    {
        if Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .output()
            .is_ok_and(|output| output.status.success())
        {
            run(program, &args);
        } else {
            eprintln!("SKIPPED: {program} does not run here");
        }
    }
}
