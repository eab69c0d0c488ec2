"""Processes that belong together where nothing but their descent says so: all that some processes started, however deep.

With `loose` they are also found when those between them have ended, and `kill` ends them all: what a sandbox's PID namespace does
elsewhere. On Linux orphans become children of whoever keeps the family, from the moment it is made: make it before its roots are started,
and name those afterwards. Elsewhere each member is remembered from look to look.
"""

import collections
import ctypes
import os
import signal
import subprocess
import sys
import time

PR_SET_CHILD_SUBREAPER = 36

# start: of whatever form, it tells a process from a later one of the same pid
Process = collections.namedtuple("Process", "parent state resident threads start")


class Family:
    def __init__(self, *roots, loose=False, known=None):
        self.roots = set(roots)
        self.loose = loose
        self.known = known or {}
        self.adopts = loose and sys.platform == "linux" and adopt_orphans()

    def look(self):
        """{pid: Process} of the members that run now."""
        now = running()
        members = {pid for pid, start in self.known.items() if pid in now and now[pid].start == start}
        members |= self.roots & now.keys()
        if self.adopts:
            members |= {pid for pid, process in now.items() if process.parent == os.getpid()}
        grown = True
        while grown:
            born = {pid for pid, process in now.items() if process.parent in members} - members
            members |= born
            grown = bool(born)
        members -= {pid for pid in members if now[pid].state == "Z"}
        self.known = {pid: now[pid].start for pid in members} if self.loose else {}
        if self.adopts:
            self.bury(now)
        return {pid: now[pid] for pid in members}

    def bury(self, now):
        """Takes note of the end of orphans that became ours. Roots are waited for by whoever started them."""
        for pid, process in now.items():
            if process.state == "Z" and process.parent == os.getpid() and pid not in self.roots:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass

    def kill(self, seconds=2.0):
        """Kills all members, those too that are born meanwhile."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            members = self.look()
            if not members:
                return
            for pid in members:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            time.sleep(0.01)


def adopt_orphans():
    return ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def running():
    """{pid: Process} of this machine."""
    return from_proc() if os.path.exists("/proc/self/stat") else from_ps()


def from_proc():
    found = {}
    page = os.sysconf("SC_PAGESIZE")
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            found[int(name)] = Process(int(fields[1]), fields[0], int(fields[21]) * page, int(fields[17]), int(fields[19]))
        except (OSError, IndexError, ValueError):
            continue  # it has ended
    return found


def from_ps():
    """What every UNIX has; threads are not counted there."""
    # one column an option: that of macOS takes all that follows a `=` for the column's title
    words = ["ps", "-ax", *(word for name in ("pid", "ppid", "rss", "stat", "lstart") for word in ("-o", f"{name}="))]
    text = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}).stdout.decode()
    found = {}
    for line in text.splitlines():
        pid, parent, resident, state, start = line.split(None, 4)
        found[int(pid)] = Process(int(parent), state[0], int(resident) * 1024, 1, start.strip())
    return found
