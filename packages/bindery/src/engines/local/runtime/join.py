"""Puts a process into a sandbox that stands already, exactly as bubblewrap and setpriv would have started it there.

The sandbox is bubblewrap's work and its only program does nothing (HOLD). A forked process with a loaded server in it joins the namespaces,
gives up every privilege, takes the system call filter, and goes on as if it had been started inside: what it may do is the same, and
what costs time, importing, was done before it was forked. It holds nothing of the process it came from but memory without secrets.
"""

import ctypes
import errno
import os
import signal
import sys
import tempfile
import traceback

from mounts import check, libc

NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
PIDFD_OPEN = 434  # the same number on every architecture
PR_SET_DUMPABLE, PR_SET_NAME, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 15, 22, 24, 38, 47
PR_CAP_AMBIENT_CLEAR_ALL, SECCOMP_MODE_FILTER, CAPABILITY_VERSION_3 = 4, 2, 0x20080522

HOLD = ["/usr/bin/cat"]
"""The program of a sandbox that waits for who joins it: says what it is told, and ends when nobody can tell it more."""


def can_join():
    """Whether this kernel knows namespaces by a process's descriptor (Linux 5.8): tried on our own, which changes nothing."""
    me = libc.syscall(PIDFD_OPEN, os.getpid(), 0)
    if me < 0:
        return False
    try:
        return libc.setns(me, NEWUTS) == 0 or ctypes.get_errno() == errno.EPERM
    finally:
        os.close(me)


def fork_into(pid, join, keep, begin, run):
    """Forks a process that runs `run()` in the sandbox whose first process is `pid`; returns the pid of one that ends as it does.

    join: {"uid": uid of a root caller's sandbox or null, "env", "cwd", "seccomp": path of the filter}; keep: descriptors that stay open
    beside the standard ones; `begin()` takes the limits, which needs the outside. A caller that is not root must own the sandbox's
    user namespaces.
    """
    sandbox = check(libc.syscall(PIDFD_OPEN, pid, 0), "pidfd_open")
    middle = os.fork()
    if middle:
        os.close(sandbox)
        return middle
    try:
        begin()
        check(libc.setns(sandbox, NEWPID), "setns")  # a process keeps its own; its children are in the new one
        child = os.fork()
        if child == 0:
            enter(sandbox, join, keep)
            run()
    except BaseException:
        leave(sys.exc_info()[1])
    if child == 0:
        leave(None)
    close_all_but(set())
    _, status = os.waitpid(child, 0)
    os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


def leave(error):
    """Ends the process as the interpreter would, but for what belongs to the one it was forked from."""
    code = 0 if error is None else 1
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else 1 if error.code else 0
        if code and isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    elif error is not None:
        traceback.print_exception(type(error), error, error.__traceback__)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code & 0xFF)


def enter(sandbox, join, keep):
    """The order counts: what needs the outside first, then the namespaces, then nothing is left but what the sandbox's own program has."""
    with open(join["seccomp"], "rb") as file:
        program = file.read()
    os.setsid()
    uid = join["uid"]
    spaces = NEWNS | NEWIPC | NEWUTS | NEWNET | NEWCGROUP | (NEWUSER if uid is None else 0)
    check(libc.setns(sandbox, spaces), "setns")
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    close_all_but({0, 1, 2, *keep})
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(join["env"])
    tempfile.tempdir = None  # it depends on the environment
    give_up(uid)
    prctl(PR_SET_NAME, ctypes.create_string_buffer(b"jupyter-lab"))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    take_filter(program)
    prctl(PR_SET_DUMPABLE, 1)  # as after an exec: the process's files in /proc are its own
    os.chdir(join["cwd"])


def close_all_but(keep):
    below = 0
    for fd in (*sorted(keep), 1 << 20):
        if below < fd:
            os.closerange(below, fd)
        below = fd + 1


def give_up(uid):
    """No capability in any set, and for a root caller another user; nothing can bring them back."""
    for capability in range(64):
        if libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            if ctypes.get_errno() == errno.EINVAL:
                break  # the kernel knows no more of them
            check(-1, "capability")
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    check(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def take_filter(program):
    class Program(ctypes.Structure):
        _fields_ = [("len", ctypes.c_ushort), ("filter", ctypes.c_char_p)]

    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Program(len(program) // 8, program)))


def prctl(what, *values):
    words = [value if not isinstance(value, int) else ctypes.c_ulong(value) for value in values]
    check(libc.prctl(what, *words, *[ctypes.c_ulong(0)] * (4 - len(words))), f"prctl {what}")
