"""The supervisor of one session: outside its sandbox, detached from the hub, standard library only.

Forked by herd.py; `python -I -S supervise.py FOLDER ENDED` does what is left of one that was killed. FOLDER/order.json says everything (written by launcher.ts; taken.json once it was taken, which only one can); nothing is
decided here that TypeScript can decide beforehand. It tells the hub what happens as JSON lines on stdout, and the world
as files in FOLDER: process.json (who we are, written before anything is started), usage.json (what the session uses, every few seconds), ended.json (why it ended, complete by rename).
It ends the session when asked (SIGTERM), when its lease is older than the order says, and when a limit is broken.
"""

import calendar
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from ending import finish, left_over, write_json  # noqa: E402
from family import Family  # noqa: E402
from join import HOLD, fork_into  # noqa: E402
from mounts import filled, private_mounts  # noqa: E402
from network import open_network, sandbox_pid  # noqa: E402
from usage import Usage, out_of_memory, take_bounds  # noqa: E402

LOG_BYTES = 1 << 20
TICK_SECONDS = 1.0


def main(folder, ended=None, run=None):
    """Starts and watches the session of `folder`, or with `ended` does what is left to do for one whose supervisor was killed.

    run(order, fd): a server's start in a process that has all of it loaded, where the caller is one (serve.run).
    """
    os.chdir(folder)
    write_json("process.json", identity())
    try:
        os.rename("order.json", "taken.json")
    except FileNotFoundError:
        if ended is None:
            return  # a hub gave the session up before we came
    with open("taken.json", "rb") as file:
        order = json.load(file)
    if ended is not None:
        return finish(order, ended, left_over())
    tell({"event": "begun", "pid": os.getpid()})
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    listening = listen("jupyter.sock")
    if order["overlay"]:
        private_mounts(order["overlay"])
    session = Session(order, listening, run)
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


class Session:
    """One sandbox with a Jupyter server in it: started there, or forked from one that is loaded (join.py)."""

    def __init__(self, order, listening, run):
        self.order = order
        self.code = None
        self.asked = None
        self.grace = order["graceSeconds"]
        self.started = self.leased = time.monotonic()
        self.log_bytes = 0
        signal.signal(signal.SIGTERM, lambda *_: self.told_to_stop())
        self.wake_read, self.wake_write = os.pipe()
        os.set_blocking(self.wake_write, False)
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.log = open("server.log", "ab", buffering=0)
        self.output, self.output_write = os.pipe()
        order_read, self.order_write = os.pipe()
        self.ready, ready_write = os.pipe()
        serve = {"listen": listening.fileno(), "ready": ready_write, "order": order_read}
        self.loose = order.get("loose", False)
        self.family = Family(loose=self.loose)
        self.server = None
        if run and order["join"]:
            self.fork_server(run, serve)
        else:
            self.start_server(serve)
        for fd in (self.output_write, ready_write, order_read):
            os.close(fd)
        listening.close()
        self.family.roots |= {self.child.pid} if self.server is None else {self.child.pid, self.server}
        self.used = Usage(order["watch"], self.family)
        self.remember()
        tell({"event": "started", "pid": self.child.pid})

    def start_server(self, fds):
        """The sandbox runs the server."""
        self.make_sandbox(self.order["command"], fds, {"stdin": subprocess.DEVNULL, "stdout": self.output_write})
        try:
            write_all(self.order_write, json.dumps(self.serve_order(fds)).encode() + b"\n")
        except OSError:
            pass  # it died at once: watch() says so with its log

    def fork_server(self, run, fds):
        """The sandbox waits, and a fork of this process joins it."""
        hold_read, hold = os.pipe()
        echo, echo_write = os.pipe()
        os.write(hold, b"\n")
        pid = self.make_sandbox(HOLD, {}, {"stdin": hold_read, "stdout": echo_write})
        os.close(hold_read)
        os.close(echo_write)
        self.hold = hold
        stands = select.select([echo], [], [], self.order["startSeconds"])[0] and os.read(echo, 1)
        os.close(echo)
        if not stands:
            return  # it died at once: watch() says so with its log

        def begin():
            os.dup2(self.output_write, 1)
            os.dup2(self.output_write, 2)
            self.enter()

        def server():
            run(self.serve_order(fds), fds["order"])

        try:
            self.server = fork_into(pid, self.order["join"], list(fds.values()), begin, server)
        except OSError as error:
            self.ask("start", f"The sandbox could not be joined: {error}")
            self.child.kill()

    def serve_order(self, fds):
        return {**self.order["serve"], "listen": fds["listen"], "ready": fds["ready"]}

    def make_sandbox(self, command, fds, streams):
        """Starts the sandbox; returns the pid of the first process in it. Without one, `command` runs as it is."""
        order, fds = self.order, {**fds}
        if order.get("seccomp"):
            fds["seccomp"] = os.open(order["seccomp"], os.O_RDONLY)
        if not self.loose:
            info, fds["info"] = os.pipe()
        if order.get("network"):
            fds["block"], go = os.pipe()
        self.child = subprocess.Popen(
            filled([*order["argv"], *command], fds), **streams, stderr=self.output_write, pass_fds=list(fds.values()),
            preexec_fn=self.enter, env=order.get("env", {"PATH": "/usr/bin:/bin"}), cwd=order.get("cwd"), start_new_session=self.loose,
        )
        for name in ("seccomp", "info", "block"):
            if name in fds:
                os.close(fds[name])
        if self.loose:
            return self.child.pid
        pid = sandbox_pid(info)
        os.close(info)
        if order.get("network"):
            if pid:
                self.open_network(pid, go)
            os.close(go)
        return pid

    def open_network(self, pid, go):
        """The sandbox waits for `go`: nothing runs in it before the rules of its network are set."""
        try:
            # Whose network's user namespace can be entered: not bubblewrap's own.
            self.network = open_network(self.order["network"], self.child.pid if self.order["ownUserNamespace"] else pid)
            os.write(go, b"1")
        except (OSError, RuntimeError, ValueError, subprocess.SubprocessError) as error:
            self.ask("start", str(error))
            self.child.kill()  # nothing runs in it yet

    def enter(self):
        """In a child outside the sandbox: joins the session's groups and takes its limits."""
        take_bounds(self.order)

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
            if self.has_ended():
                break
            if time.monotonic() >= next_tick:
                self.tick(answered)
                next_tick = time.monotonic() + TICK_SECONDS
        self.drain()
        return self.why(answered)

    def has_ended(self):
        """Notes the exit code. A server that was forked into the sandbox takes that down with it."""
        if self.server is not None:
            pid, status = os.waitpid(self.server, os.WNOHANG)
            if pid:
                self.server, self.code = None, os.waitstatus_to_exitcode(status)
                self.child.kill()
                self.child.wait()
        if self.child.poll() is None:
            return False
        if self.server is not None:  # all that was in the sandbox went with it
            os.waitpid(self.server, 0)
        if self.code is None:
            self.code = self.child.returncode
        return True

    def kill(self):
        """A sandbox ends with its first process; without one its members are killed one by one."""
        if self.loose:
            self.family.kill()
        else:
            self.child.kill()

    def remember(self):
        """Leaves the members of a session without a sandbox where the next supervisor finds them."""
        if not self.loose:
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
        age = file_age("lease")
        if age is not None:  # without one, as where somebody removed the folder, the last that was seen counts
            self.leased = now - age
        if now - self.leased > order["leaseSeconds"]:
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


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
