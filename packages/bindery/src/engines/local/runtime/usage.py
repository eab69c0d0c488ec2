"""What a sandbox uses, looked at from outside, for the limits that no control group holds; `Usage.seen` is what was found last.

Run as `python -I -S usage.py FOLDER...` it prints the bytes that the folders share with nobody.
"""

import os
import resource
import signal
import stat
import sys
import time


class Usage:
    """watch: {"memory": bytes or null, "processes": count or null, "disk": bytes, "folders": [paths]}; null where a control group holds it."""

    def __init__(self, watch, family):
        self.watch = watch
        self.family = family
        self.looked, self.cost = time.monotonic(), 0.0
        self.seen = {}

    def broken(self):
        """(reason, sentence) for the first limit that is broken, else None."""
        memory_limit, process_limit = self.watch["memory"], self.watch["processes"]
        if memory_limit or process_limit:
            family = self.family.look()
            memory, threads = sum(one.resident for one in family.values()), sum(one.threads for one in family.values())
            self.seen.update(memoryBytes=memory, processes=threads)
            if memory_limit and memory > memory_limit:  # an upper bound: what processes share is counted for each
                memory = shared_out(family)
            if memory_limit and memory > memory_limit:
                return "memory", f"It used {memory >> 20} MiB of memory; {memory_limit >> 20} MiB are allowed."
            if process_limit and threads > process_limit:
                return "processes", f"It ran {threads} processes and threads; {process_limit} are allowed."
        return self.disk()

    def disk(self):
        """Looking costs time on large folders: it may take 2 % of it."""
        now = time.monotonic()
        if now - self.looked < max(5.0, self.cost * 50):
            return None
        size = sum(folder_bytes(path) for path in self.watch["folders"])
        self.looked, self.cost = time.monotonic(), time.monotonic() - now
        self.seen["diskBytes"] = size
        if size > self.watch["disk"]:
            return "disk", f"It wrote {size >> 20} MiB to disk; {self.watch['disk'] >> 20} MiB are allowed."
        return None


def take_bounds(order):
    """Joins the control groups of "groupFiles" and sets the limits of "rlimits" for this process, never above what it may."""
    for path in order["groupFiles"]:
        with open(path, "w") as file:
            file.write(str(os.getpid()))
    for name, value in order["rlimits"].items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        try:
            resource.setrlimit(kind, (value, value))
        except (OSError, ValueError):
            pass  # macOS has bounds of its own for some


def shared_out(family):
    """Bytes of memory that some processes use, what they share in proportion and files' pages left out (proc(5), smaps_rollup)."""
    if not os.path.exists("/proc/self"):
        return sum(process.resident for process in family.values())
    total = 0
    for pid, process in family.items():
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += sum(int(line.split()[1]) * 1024 for line in file if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
        except PermissionError:
            total += process.resident
        except (OSError, ValueError):
            continue  # it has ended
    return total


def folder_bytes(path):
    """Blocks on disk, each file once however many names it has; no link is followed."""
    total, seen = 0, set()
    for info in files_below(path):
        if info.st_nlink > 1:
            if (info.st_dev, info.st_ino) in seen:
                continue
            seen.add((info.st_dev, info.st_ino))
        total += info.st_blocks * 512
    return total


def own_bytes(path):
    """Blocks on disk of the files that have no other name anywhere; no link is followed."""
    return sum(info.st_blocks * 512 for info in files_below(path) if stat.S_ISREG(info.st_mode) and info.st_nlink == 1)


def files_below(path):
    for folder, _, names in os.walk(path):
        for name in names:
            try:
                yield os.lstat(os.path.join(folder, name))
            except OSError:
                continue  # it has gone meanwhile


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


if __name__ == "__main__":
    print(sum(own_bytes(path) for path in sys.argv[1:]))
