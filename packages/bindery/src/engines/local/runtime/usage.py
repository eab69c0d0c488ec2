"""What a sandbox uses, looked at from outside, for the limits that no control group holds."""

import os
import resource
import signal
import time


class Usage:
    """watch: {"memory": bytes or null, "processes": count or null, "disk": bytes, "folders": [paths]}; null where a control group holds it."""

    def __init__(self, watch, root):
        self.watch = watch
        self.root = root
        self.looked, self.cost = time.monotonic(), 0.0

    def broken(self):
        """(reason, sentence) for the first limit that is broken, else None."""
        memory_limit, process_limit = self.watch["memory"], self.watch["processes"]
        if memory_limit or process_limit:
            memory, processes = tree_usage(self.root)
            if memory_limit and memory > memory_limit:
                return "memory", f"It used {memory >> 20} MiB of memory; {memory_limit >> 20} MiB are allowed."
            if process_limit and processes > process_limit:
                return "processes", f"It ran {processes} processes; {process_limit} are allowed."
        return self.disk()

    def disk(self):
        """Looking costs time on large folders: it may take 2 % of it."""
        now = time.monotonic()
        if now - self.looked < max(5.0, self.cost * 50):
            return None
        size = sum(folder_bytes(path) for path in self.watch["folders"])
        self.looked, self.cost = time.monotonic(), time.monotonic() - now
        if size > self.watch["disk"]:
            return "disk", f"It wrote {size >> 20} MiB to disk; {self.watch['disk'] >> 20} MiB are allowed."
        return None


def take_limits(limits):
    """Sets resource limits of this process, never above what it may."""
    for name, value in limits.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))


def tree_usage(root):
    """Memory (bytes, resident) and number of processes of `root` and all below it."""
    parents, memory = {}, {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            parents[int(name)] = int(fields[1])
            memory[int(name)] = int(fields[21]) * resource.getpagesize()
        except (OSError, IndexError, ValueError):
            continue
    family, grown = {root}, True
    while grown:
        grown = False
        for pid, parent in parents.items():
            if parent in family and pid not in family:
                family.add(pid)
                grown = True
    return sum(memory.get(pid, 0) for pid in family), len(family)


def folder_bytes(path):
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                continue
    return total


def out_of_memory(path):
    """True when the kernel killed something for memory: `oom_kill N` in v2's memory.events and v1's memory.oom_control."""
    if not path:
        return False
    try:
        with open(path) as file:
            return any(line.startswith("oom_kill ") and int(line.split()[1]) > 0 for line in file)
    except (OSError, ValueError):
        return False


def remove_group(path):
    """Kills what is left in a control group and removes it, within two seconds."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        try:
            return os.rmdir(path)
        except FileNotFoundError:
            return None
        except OSError:
            kill_members(path)
            time.sleep(0.01)
    return None


def kill_members(path):
    try:
        with open(os.path.join(path, "cgroup.procs")) as file:
            for line in file:
                os.kill(int(line), signal.SIGKILL)
    except OSError:
        pass
