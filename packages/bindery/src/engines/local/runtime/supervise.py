"""The supervisor of one session: outside its sandbox, detached from the hub, standard library only.

Forked by herd.py; `python -I -S supervise.py FOLDER ENDED` does what is left of one that was killed. FOLDER/order.json says everything (written by launcher.ts); nothing is
decided here that TypeScript can decide beforehand. It tells the hub what happens as JSON lines on stdout, and the world
as files in FOLDER: process.json (who we are, written before anything is started), usage.json (what the session uses, every few seconds), ended.json (why it ended, complete by rename).
It ends the session when asked (SIGTERM), when its lease is older than the order says, and when a limit is broken.
"""

import calendar
import json
import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from family import Family  # noqa: E402
from mounts import filled, private_mounts, unmount, write  # noqa: E402
from network import open_network, sandbox_pid  # noqa: E402
from usage import Usage, out_of_memory, remove_group, take_limits  # noqa: E402

LOG_BYTES = 1 << 20
TICK_SECONDS = 1.0


def main(folder, ended=None):
    """Starts and watches the session of `folder`, or with `ended` does what is left to do for one whose supervisor was killed."""
    os.chdir(folder)
    with open("order.json", "rb") as file:
        order = json.load(file)
    write_json("process.json", identity())
    if ended is not None:
        return finish(order, ended, left_over(order))
    tell({"event": "begun", "pid": os.getpid()})
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    listening = listen("jupyter.sock")
    if order["overlay"]:
        private_mounts(order["overlay"])
    session = Session(order, listening)
    reason, message = session.watch()
    finish(order, {"reason": reason, "message": message, "code": session.code}, session.family)
    tell({"event": "ended", "reason": reason})


def complain():
    """Leaves what went wrong where the hub looks for it."""
    with open("supervisor.log", "w") as file:
        traceback.print_exc(file=file)


def identity():
    """The same as base/process-identity.ts finds."""
    if sys.platform != "linux":
        words = ["ps", "-o", "lstart=", "-p", str(os.getpid())]
        text = subprocess.run(words, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}).stdout.decode()
        return {"pid": os.getpid(), "startTime": calendar.timegm(time.strptime(text.strip(), "%a %b %d %H:%M:%S %Y")), "bootId": ""}
    with open("/proc/self/stat") as file:
        start = int(file.read().rpartition(")")[2].split()[19])
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read().strip()
    return {"pid": os.getpid(), "startTime": start, "bootId": boot}


def write_json(name, value):
    with open(name + ".part", "w") as file:
        json.dump(value, file)
    os.rename(name + ".part", name)


def tell(event):
    try:
        os.write(1, json.dumps(event).encode() + b"\n")
    except OSError:
        pass  # the hub is gone: the files tell the next one


def listen(path):
    """The session gets a listening socket, never a path: nothing it does can lead the proxy elsewhere."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    old = os.umask(0o177)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    os.umask(old)
    sock.listen(512)
    return sock


# --- the session ------------------------------------------------------------------------------------------------------


class Session:
    """One sandbox with a Jupyter server in it."""

    def __init__(self, order, listening):
        self.order = order
        self.code = None
        self.asked = None
        self.grace = order["graceSeconds"]
        self.started = time.monotonic()
        self.log_bytes = 0
        signal.signal(signal.SIGTERM, lambda *_: self.told_to_stop())
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.log = open("server.log", "ab", buffering=0)
        order_read, self.order_write = os.pipe()
        self.ready, ready_write = os.pipe()
        output_read, output_write = os.pipe()
        self.output = output_read
        fds = {"listen": listening.fileno(), "ready": ready_write, "order": order_read}
        if order.get("seccomp"):
            fds["seccomp"] = os.open(order["seccomp"], os.O_RDONLY)
        if order.get("network"):
            info, fds["info"] = os.pipe()
            fds["block"], go = os.pipe()
        argv = filled(order["argv"], fds)
        self.family = Family(loose=order.get("loose", False))
        self.child = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=output_write, stderr=output_write, pass_fds=list(fds.values()),
            preexec_fn=self.enter, env=order.get("env", {"PATH": "/usr/bin:/bin"}), cwd=order.get("cwd"), start_new_session=order.get("loose", False),
        )
        for fd in (output_write, *fds.values()):
            os.close(fd)
        listening.detach()
        serve = {**order["serve"], "listen": fds["listen"], "ready": fds["ready"]}
        try:
            write_all(self.order_write, json.dumps(serve).encode() + b"\n")
        except OSError:
            pass  # it died at once: watch() says so with its log
        if order.get("network"):
            self.open_network(info, go)
        self.family.root = self.child.pid
        self.used = Usage(order["watch"], self.family)
        self.remember()
        tell({"event": "started", "pid": self.child.pid})

    def open_network(self, info, go):
        """The sandbox waits for `go`: nothing runs in it before the rules of its network are set."""
        try:
            self.network = open_network(self.order["network"], sandbox_pid(info, self.child.pid, self.order["ownUserNamespace"]))
            os.write(go, b"1")
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            self.ask("start", str(error))
            self.child.kill()  # nothing runs in it yet
        os.close(info)
        os.close(go)

    def enter(self):
        """In the child, before the sandbox is made: joins its groups and takes its limits."""
        for path in self.order["join"]:
            write(path, str(os.getpid()))
        take_limits(self.order["rlimits"])

    def told_to_stop(self):
        """The hub says why in stop.json; anybody else's signal is a plain stop."""
        try:
            with open("stop.json") as file:
                stop = json.load(file)
        except (OSError, ValueError):
            stop = {"reason": "stopped"}
        self.grace = stop.get("graceSeconds", self.grace)
        self.ask(stop["reason"], stop.get("message"))

    def ask(self, reason, message=None):
        """Asks the server to end; the first reason given is the one that counts."""
        if self.asked is None:
            self.asked = (reason, message, time.monotonic())
            if self.order_write is not None:
                os.close(self.order_write)
                self.order_write = None

    def watch(self):
        poll = select.poll()
        for fd in (self.output, self.ready, self.wake_read):
            poll.register(fd, select.POLLIN | select.POLLHUP)
        open_fds = {self.output, self.ready, self.wake_read}
        answered = False
        next_tick = time.monotonic() + TICK_SECONDS
        while True:
            for fd, _ in poll.poll(max(0, (next_tick - time.monotonic()) * 1000)):
                data = os.read(fd, 65536)
                if fd == self.output:
                    self.record(data)
                if fd == self.ready and data:
                    answered = True
                    tell({"event": "ready", "ms": round((time.monotonic() - self.started) * 1000, 1)})
                if not data:
                    poll.unregister(fd)
                    open_fds.discard(fd)
            if self.child.poll() is not None:
                break
            if time.monotonic() >= next_tick:
                self.tick(answered)
                next_tick = time.monotonic() + TICK_SECONDS
        self.drain()
        self.code = self.child.returncode
        return self.why(answered)

    def kill(self):
        """A sandbox ends with its first process; without one its members are killed one by one."""
        if self.order.get("loose", False):
            self.family.kill()
        else:
            self.child.kill()

    def remember(self):
        """Leaves the members of a session without a sandbox where the next supervisor finds them."""
        if not self.order.get("loose", False):
            return
        before = self.family.known
        self.family.look()
        if self.family.known != before:
            write_json("family.json", list(self.family.known.items()))

    def tick(self, answered):
        order, now = self.order, time.monotonic()
        self.remember()
        if self.asked is not None:
            if now - self.asked[2] > self.grace:
                self.kill()
            return
        lease = file_age("lease")
        if lease is not None and lease > order["leaseSeconds"]:
            return self.ask("abandoned", "No hub has asked for this session for a while.")
        if not answered and now - self.started > order["startSeconds"]:
            return self.ask("start", f"The server did not answer within {order['startSeconds']:.0f} seconds.")
        looked = self.used.looked
        broken = self.used.broken()
        if self.used.looked != looked:
            write_json("usage.json", self.used.seen)
        if broken:
            self.ask(*broken)
            self.kill()

    def record(self, data):
        """The server's output: the last one to two MiB are kept."""
        if self.log_bytes + len(data) > LOG_BYTES:
            self.log.close()
            os.replace("server.log", "server.log.1")
            self.log = open("server.log", "ab", buffering=0)
            self.log_bytes = 0
        try:
            self.log.write(data)
        except OSError:
            pass  # a full disk must not end the session
        self.log_bytes += len(data)

    def drain(self):
        os.set_blocking(self.output, False)
        try:
            while data := os.read(self.output, 65536):
                self.record(data)
        except BlockingIOError:
            pass

    def why(self, answered):
        if self.asked is not None:
            return self.asked[0], self.asked[1]
        if out_of_memory(self.order["oomEvents"]):
            return "memory", "It used more memory than it is allowed."
        if not answered:
            return "start", f"The server ended while starting ({exit_text(self.code)})."
        return "crash", f"The server ended by itself ({exit_text(self.code)})."


def exit_text(code):
    return f"signal {-code}" if code < 0 else f"signal {code - 128}" if code > 128 else f"exit code {code}"


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def file_age(path):
    try:
        return time.time() - os.stat(path).st_mtime
    except OSError:
        return None


# --- the end ----------------------------------------------------------------------------------------------------------


def left_over(order):
    """What a supervisor that was killed left running; a sandbox was killed with it."""
    try:
        with open("family.json") as file:
            return Family(loose=True, known=dict(json.load(file)))
    except (OSError, ValueError):
        return Family()


def finish(order, ended, family):
    """Saves what was changed, tells why it ended, and takes away what the session had."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if order.get("loose", False):
        family.kill()
    if order.get("save") and not os.path.exists("ended.json"):
        try:
            ended["savedBytes"] = save(order)
        except Exception as error:  # the session's end must be recorded whatever happens to its files
            ended["saveError"] = str(error)
    write_json("ended.json", {**ended, "at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())})
    for path in order["groups"]:
        remove_group(path)
    clean(order)


def save(order):
    """Runs the saving sandbox; its standard output is the archive. Returns bytes, 0 when nothing was changed."""
    part = order["save"]["to"] + ".part"
    fds = {"seccomp": os.open(order["save"]["seccomp"], os.O_RDONLY)} if order["save"].get("seccomp") else {}
    argv = filled(order["save"]["argv"], fds)
    os.makedirs(os.path.dirname(part), mode=0o700, exist_ok=True)
    limit = order["save"]["bytes"]

    def bounded():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    with open(part, "wb") as file:
        result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE, pass_fds=list(fds.values()), preexec_fn=bounded, env=order["save"].get("env", {"PATH": "/usr/bin:/bin"}), cwd=order["save"].get("cwd"), timeout=120)
        size = file.seek(0, os.SEEK_END)
    if result.returncode != 0:
        os.unlink(part)
        raise RuntimeError(result.stderr.decode(errors="replace")[-500:])
    if size == 0:
        os.unlink(part)
        return 0
    os.rename(part, order["save"]["to"])
    return size


def clean(order):
    if order["overlay"]:
        unmount(order["overlay"])
    for path in order["remove"]:
        if os.path.isdir(path):
            shutil.rmtree(path, onerror=open_and_retry)
        elif os.path.lexists(path):
            os.unlink(path)


def open_and_retry(function, path, _error):
    """A session may have closed its own folders; they are ours to remove."""
    try:
        os.chmod(os.path.dirname(path), 0o700)
        if not os.path.islink(path):
            os.chmod(path, 0o700)
        if function is os.rmdir or not os.path.isdir(path) or os.path.islink(path):
            function(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
    except OSError:
        pass


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
