"""Tries, from inside, to get out: what it finds is printed as JSON. Never fails: whatever is refused is written down as it was refused.

`python probe.py ORDER`: {"canary": what must not be found, backwards, "read": [host paths], "write": [paths], "pids": [of the host],
"targets": [[host, port]], "names": [host names], "abstract": name of a socket of the host, "sockets": [paths of sockets]}.
"""

import ctypes
import errno
import json
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import urllib.request

libc = ctypes.CDLL(None, use_errno=True)
ARM = os.uname().machine == "aarch64"


def tried(what, *args, **kwargs):
    """What came of it: the result, or the name of the error."""
    try:
        return what(*args, **kwargs)
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def call(number, *args):
    ctypes.set_errno(0)
    return "done" if libc.syscall(number, *args) >= 0 else errno.errorcode[ctypes.get_errno()]


def content(path, size=1 << 20):
    with open(path, "rb") as file:
        return file.read(size).decode("latin-1")


def status(path="/proc/self/status"):
    return dict(line.split(":\t", 1) for line in content(path).splitlines() if ":\t" in line)


def mounts():
    result = []
    for line in content("/proc/self/mountinfo").splitlines():
        before, after = line.split(" - ")
        fields = before.split()
        result.append({"at": fields[4], "options": fields[5].split(","), "type": after.split()[0], "source": after.split()[1], "root": fields[3]})
    return result


def pids():
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def around(roots, canary):
    """Paths below these folders whose name or content has the canary in it."""
    found = []
    for root in roots:
        for folder, names, files in os.walk(root):
            names[:] = [name for name in names if not os.path.ismount(os.path.join(folder, name)) or folder == "/"]
            for name in files:
                path = os.path.join(folder, name)
                kind = tried(os.lstat, path)
                if isinstance(kind, str) or not stat.S_ISREG(kind.st_mode) or kind.st_size > 1 << 20:
                    continue
                text = tried(content, path)
                if canary in text and "probe" not in path:
                    found.append(path)
    return found


def processes(canary):
    """Of every process that can be seen: whether its environment or memory gives the canary away, and what files it has open."""
    result = {}
    for pid in pids():
        base = f"/proc/{pid}"
        fds = tried(os.listdir, f"{base}/fd")
        links = fds if isinstance(fds, str) else sorted({tried(os.readlink, f"{base}/fd/{fd}") for fd in fds})
        environ = tried(content, f"{base}/environ")
        result[pid] = {
            "name": tried(content, f"{base}/comm").strip(),
            "uid": tried(status, f"{base}/status").get("Uid", "?").split()[0],
            "argv": canary in tried(content, f"{base}/cmdline"),
            "environ": environ if environ in errno.errorcode.values() else canary in environ,
            "mem": tried(memory_has, pid, canary) if pid != os.getpid() else False,
            "fds": links,
            "root": tried(os.listdir, f"{base}/root") == os.listdir("/") or tried(os.listdir, f"{base}/root"),
            "cwd": tried(os.readlink, f"{base}/cwd"),
        }
    return result


def memory_has(pid, text):
    """Searches what can be read of another process's memory."""
    wanted, seen = text.encode(), 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            if "r" not in line.split()[1] or end - start > 64 << 20 or seen > 512 << 20:
                continue
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue
            seen += len(data)
            if wanted in data:
                return True
    return False


def namespaces():
    flags = {"mount": 0x20000, "cgroup": 0x02000000, "uts": 0x04000000, "ipc": 0x08000000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000}
    unshare, clone, setns = (97, 220, 268) if ARM else (272, 56, 308)
    result = {f"unshare {name}": call(unshare, flag) for name, flag in flags.items()}
    result.update({f"clone {name}": call(clone, flag | signal.SIGCHLD, 0, 0, 0, 0) for name, flag in flags.items()})
    result["clone3"] = call(435, 0, 0)
    for name in ("mnt", "net", "pid", "user"):
        fd = tried(os.open, f"/proc/1/ns/{name}", os.O_RDONLY)
        result[f"setns {name}"] = call(setns, fd, 0) if isinstance(fd, int) else fd
    result["tool"] = subprocess.run(["unshare", "--user", "--map-root-user", "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0
    return result


def system_calls():
    numbers = {"mount": (165, 40), "pivot_root": (155, 41), "chroot": (161, 51), "bpf": (321, 280), "keyctl": (250, 219), "add_key": (248, 217),
               "perf_event_open": (298, 241), "userfaultfd": (323, 282), "init_module": (175, 105), "kexec_load": (246, 104), "reboot": (169, 142),
               "settimeofday": (164, 170), "swapon": (167, 224), "open_by_handle_at": (304, 265), "io_uring_setup": (425, 425), "fsopen": (430, 430)}
    return {name: call(pair[ARM], 0, 0, 0, 0, 0) for name, pair in numbers.items()}


def writable(roots):
    """Folders that can be written to, the topmost only; with the size of their file system."""
    result = {}
    for root in roots:
        for folder, names, _ in os.walk(root):
            if os.access(folder, os.W_OK):
                result[folder] = os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize
                names[:] = []
            names[:] = [name for name in names if not os.path.islink(os.path.join(folder, name)) and os.path.join(folder, name) not in ("/proc", "/usr")]
    return result


def change(path):
    """Tries to change a file in every way."""
    def append():
        with open(path, "ab") as file:
            file.write(b"x")

    def through_fd():
        fd = os.open(path, os.O_RDONLY)
        try:
            with open(f"/proc/self/fd/{fd}", "ab") as file:
                file.write(b"x")
        finally:
            os.close(fd)

    def linked():
        target = os.path.join(os.environ["HOME"], "stolen-link")
        os.link(path, target)
        with open(target, "ab") as file:
            file.write(b"x")

    ways = {
        "append": append,
        "descriptor": through_fd,
        "hard link": linked,
        "chmod": lambda: os.chmod(path, 0o777),
        "chown": lambda: os.chown(path, os.getuid(), os.getgid()),
        "utime": lambda: os.utime(path, (1, 1)),
        "truncate": lambda: os.truncate(path, 0),
        "xattr": lambda: os.setxattr(path, "user.x", b"1"),
        "rename": lambda: os.rename(path, path + ".gone"),
        "unlink": lambda: os.unlink(path),
    }
    return {name: tried(way) or "done" for name, way in ways.items()}


def reach(host, port):
    """By a connection of its own; an address that is reached answers with itself."""
    with socket.create_connection((host, port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return whole(connection)


def through_proxy(url):
    try:
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read(4096).decode("latin-1")
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.reason}"


def tunnel(host, port):
    """A CONNECT of our own making, so that no_proxy and the like play no part."""
    proxy = os.environ.get("http_proxy", "http://127.0.0.1:3128").rsplit(":", 1)
    with socket.create_connection(("127.0.0.1", int(proxy[1])), timeout=20) as connection:
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        connection.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        answer = connection.recv(4096).decode("latin-1").split("\r\n")[0]
        if " 200 " not in answer:
            return answer.partition(" ")[2]
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return whole(connection)


def whole(connection):
    """Everything that comes until the other side closes: head and body may come apart."""
    answer = b""
    while len(answer) < 65536 and (chunk := connection.recv(4096)):
        answer += chunk
    return answer.decode("latin-1")


def unix(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        return "connected"


def datagram(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", (host, 53))
        return "sent"


def network(order):
    return {
        "direct": {f"{host}:{port}": tried(reach, host, port) for host, port in order["targets"]},
        "proxied": {f"{host}:{port}": tried(through_proxy, f"http://{f'[{host}]' if ':' in host else host}:{port}/") for host, port in order["targets"]},
        "tunnelled": {f"{host}:{port}": tried(tunnel, host, port) for host, port in order["targets"]},
        "names": {name: tried(socket.gethostbyname, name) for name in order["names"]},
        "udp": tried(datagram, "1.1.1.1"),
        "raw": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1) and "made"),
        "packet": tried(lambda: socket.socket(17, socket.SOCK_RAW, 0) and "made"),
        "vsock": tried(lambda: socket.socket(40, socket.SOCK_STREAM) and "made"),
        "abstract": tried(unix, "\0" + order["abstract"]),
        "sockets": {path: tried(unix, path) for path in order["sockets"]},
        "interfaces": sorted(name for _, name in socket.if_nameindex()),
        "address": tried(lambda: subprocess.run(["ip", "addr", "add", "10.9.9.9/32", "dev", "lo"], stderr=subprocess.DEVNULL).returncode != 0),
    }


def devices():
    return {
        "names": sorted(os.listdir("/dev")),
        "make": tried(lambda: os.mknod(os.path.join(os.environ["HOME"], "disk"), 0o600 | stat.S_IFBLK, os.makedev(8, 0)) or "made"),
        "terminals": sorted(os.listdir("/dev/pts")),
        "fill": tried(lambda: open("/dev/fill", "wb").write(b"x") and "written"),
    }


def setuid():
    """Set-user-id programs, and what becomes of this user when one runs."""
    found = []
    for folder in ("/usr/bin", "/usr/sbin", "/usr/lib"):
        for name in sorted(os.listdir(folder)):
            info = tried(os.stat, os.path.join(folder, name))
            if not isinstance(info, str) and stat.S_ISREG(info.st_mode) and info.st_mode & 0o6000:
                found.append(os.path.join(folder, name))
    with subprocess.Popen(["/usr/bin/su", "-c", "id -u"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        said = child.communicate()[0].decode(errors="replace")
    own = os.path.join(os.environ["HOME"], "own-setuid")
    with open(own, "wb") as file, open("/usr/bin/id", "rb") as source:
        file.write(source.read())
    os.chmod(own, 0o6755)
    return {"found": len(found), "root": "0" in said.split(), "own": subprocess.run([own, "-u"], stdout=subprocess.PIPE, text=True).stdout.strip() == str(os.getuid())}


def proc():
    names = ["kcore", "kmsg", "keys", "sysrq-trigger", "sys/kernel/core_pattern", "sys/kernel/hostname", "sys/vm/drop_caches", "sys/kernel/ns_last_pid",
             "self/oom_score_adj", "self/loginuid", "1/environ", "1/mem", "1/root/etc/shadow"]
    def wrote(path):
        with open(path, "r+b") as file:
            file.write(b"\n")
        return "written"
    return {
        "read": {name: "read" if isinstance(tried(content, f"/proc/{name}", 1), str) and tried(content, f"/proc/{name}", 1) not in errno.errorcode.values() else tried(content, f"/proc/{name}", 1) for name in names},
        "write": {name: tried(wrote, f"/proc/{name}") for name in names if name.startswith(("sys", "1/"))},
        "hostname": os.uname().nodename,
        "cgroup": tried(content, "/proc/self/cgroup"),
        "lower score": tried(lambda: wrote_score("-500")),
    }


def wrote_score(text):
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(text)
    return "written"


def signals(order):
    return {str(pid): tried(lambda pid=pid: os.kill(pid, 0) or "reached") for pid in order["pids"]}


def probe(order):
    own = status()
    canary = order["canary"][::-1]
    return {
        "user": {"uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups()},
        "capabilities": {name: own[name].strip() for name in own if name.startswith("Cap")},
        "noNewPrivs": own["NoNewPrivs"].strip(),
        "seccomp": own["Seccomp"].strip(),
        "root": sorted(os.listdir("/")),
        "mounts": mounts(),
        "read": {path: tried(lambda path=path: os.path.isdir(path) and os.listdir(path) or content(path)) for path in order["read"]},
        "found": around(["/etc", "/home", "/run", "/tmp", "/var", "/opt/bindery", "/dev/shm"], canary),
        "environment": canary in json.dumps(dict(os.environ)),
        "processes": processes(canary),
        "pids": pids(),
        "namespaces": namespaces(),
        "calls": system_calls(),
        "writable": writable(["/"]),
        "changes": {path: change(path) for path in order["write"]},
        "network": network(order),
        "devices": devices(),
        "setuid": setuid(),
        "proc": proc(),
        "signals": signals(order),
        "limits": {name: resource.getrlimit(getattr(resource, name))[0] for name in ("RLIMIT_CORE", "RLIMIT_FSIZE")},
    }


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        print("PROBE" + json.dumps(probe(json.load(file))))
