"""What hostile functions share: trying things, and saying how each ended.

Nothing here may harm the machine where there is no sandbox: what would is tried in a sandbox only (`inside`), and what
grows has an end.
"""

import ctypes, errno, json, os, platform, subprocess, time

libc = ctypes.CDLL(None, use_errno=True)

# Numbers of system calls: x86_64, aarch64.
CALLS = {
    "add_key": (248, 217), "bpf": (321, 280), "chroot": (161, 51), "clone": (56, 220), "clone3": (435, 435),
    "init_module": (175, 105), "io_uring_setup": (425, 425), "keyctl": (250, 219), "memfd_create": (319, 279),
    "mount": (165, 40), "msgget": (68, 186), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "open_tree": (428, 428), "perf_event_open": (298, 241), "pidfd_getfd": (438, 438), "pidfd_open": (434, 434),
    "pivot_root": (155, 41), "process_vm_readv": (310, 270), "ptrace": (101, 117), "request_key": (249, 218),
    "setns": (308, 268), "shmget": (29, 194), "umount2": (166, 39), "unshare": (272, 97), "userfaultfd": (323, 282),
}


def syscall(name, *arguments):
    number = CALLS[name][0 if platform.machine() == "x86_64" else 1]
    words = [a if isinstance(a, ctypes.Array) else ctypes.c_char_p(a) if isinstance(a, bytes) else ctypes.c_long(a) for a in arguments]
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        raise OSError(ctypes.get_errno(), name)
    return result


def outcome(attempt, *arguments):
    """`done`, or the name of the error."""
    try:
        result = attempt(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno, repr(error))
    return "done" if result is None else "done: %.200r" % (result,)


def system(name, *arguments):
    return outcome(lambda: syscall(name, *arguments))


def reads(path):
    def read():
        with open(path, "rb") as file:
            return file.read(200)

    return outcome(read)


def lists(path):
    return outcome(lambda: sorted(os.listdir(path)))


def makes(path):
    """A new file; removed at once."""

    def make():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(path)

    return outcome(make)


def opens_to_write(path):
    """Writes nothing."""
    return outcome(lambda: os.close(os.open(path, os.O_WRONLY)))


def inside(attempt, *arguments):
    """For what must not happen to the machine itself."""
    if os.getcwd() != "/code":
        return "not tried: this is no sandbox"
    return outcome(attempt, *arguments)


def in_child(attempt, *arguments):
    """The outcome in a process of its own, with what it changed about itself."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, outcome(attempt, *arguments).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        said = file.read().decode()
    os.waitpid(pid, 0)
    return said


def processes():
    """The numbers of all that can be seen."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
