"""Forks supervisors, and they servers: one process of the hub in which everything they need is loaded, so that none of them costs the hub
a fork of its own, nor a start of Python, nor the imports of JupyterLab.

Run as `python -I -B herd.py SOCKET load` by the server runtime's Python; without `load` by any, and sessions start each their own server. It
listens once there is something to read on stdin, by which it is told that SOCKET is its own, and says `ready` on stdout; it ends when stdin
does, which is when the hub ends. Each connection to SOCKET names a session's folder in one line and becomes the standard output of its
supervisor (supervise.py): it is closed when that ends.
Supervisors outlive the herd.
"""

import gc
import importlib
import os
import platform
import select
import signal
import sys
import threading
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import serve  # noqa: E402
import supervise  # noqa: E402
from join import can_join  # noqa: E402

LATER = """
notebook_shim.nbserver notebook.app jupyterlab_jupytext jupyter_server_terminals.app jupyter_server_terminals.handlers terminado.management
jupyter_core.migrate jinja2.ext jupyter_server.view.handlers jupyter_server.kernelspecs.handlers jupyter_server.nbconvert.handlers
jupyter_server.services.api.handlers jupyter_server.services.config.handlers jupyter_server.services.contents.handlers
jupyter_server.services.events.handlers jupyter_server.services.kernels.handlers jupyter_server.services.kernelspecs.handlers
jupyter_server.services.nbconvert.handlers jupyter_server.services.security.handlers jupyter_server.services.sessions.handlers
jupyter_server.services.shutdown tornado.platform.asyncio IPython ipykernel.kernelspec nbconvert.exporters
""".split()
"""What a server imports while it starts and for its first requests, beside what importing JupyterLab brings."""


def main():
    loading = Loading() if "load" in sys.argv[2:] else None
    if not os.read(0, 1):
        return
    listener = supervise.listen(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a supervisor ended: its folder tells
    os.write(1, b"ready\n")
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    poll.register(listener, select.POLLIN)
    while True:
        ready = [fd for fd, _ in poll.poll(0 if loading and loading.rest else None)]
        if not ready:
            loading.go_on()
        if 0 in ready and not os.read(0, 1):
            return
        if listener.fileno() in ready:
            connection, _ = listener.accept()
            if os.fork() == 0:
                become(listener, connection, loading and loading.run)
            connection.close()


class Loading:
    """What serves a session in a fork of this process: JupyterLab at once, what it needs beside that while nobody waits."""

    def __init__(self):
        self.rest, self.app = LATER[::-1], None
        if not can_join():
            return self.fail("This kernel is older than Linux 5.8: each session loads its server itself.\n")
        try:
            self.app = serve.load()
            platform.processor()  # starts a program, and remembers what it said
        except Exception:
            self.fail(traceback.format_exc())
        self.settle()

    @property
    def run(self):
        """None where it cannot be: sessions start each their own server."""
        return self.app and (lambda order, fd: serve.run(order, fd, self.app))

    def go_on(self):
        name = self.rest.pop()
        if name == "IPython":
            serve.ipython_again()
        try:
            importlib.import_module(name)
        except ImportError:
            pass  # another version has it elsewhere: the server itself will find it
        except Exception:
            self.fail(traceback.format_exc())
        self.settle()

    def settle(self):
        if threading.active_count() > 1:
            self.fail("An import started a thread: nothing can be forked from here.\n")
        gc.freeze()  # what is here now is never looked at again, so that forks share it

    def fail(self, why):
        sys.stderr.write(why)
        self.rest, self.app = [], None


def become(listener, connection, run):
    """In the child: a supervisor, in a session of its own."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        listener.close()
        folder = b""
        while not folder.endswith(b"\n"):
            chunk = connection.recv(4096)
            if not chunk:
                os._exit(1)
            folder += chunk
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(connection.fileno(), 1)
        connection.close()
        supervise.main(os.fsdecode(folder[:-1]), run=run)
        os._exit(0)
    except BaseException:
        supervise.complain()
        os._exit(1)


main()
