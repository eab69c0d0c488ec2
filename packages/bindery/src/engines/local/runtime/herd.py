"""Forks supervisors: one small process of the hub in which everything they need is loaded, so that none of them costs the hub a fork
of its own large process, nor a start of Python.

Run as `python -I -S herd.py SOCKET`. Says `ready` on stdout; ends when stdin does, which is when the hub ends. Each connection to SOCKET names
a session's folder in one line and becomes the standard output of its supervisor (supervise.py): it is closed when that ends.
Supervisors outlive the herd.
"""

import os
import select
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import supervise  # noqa: E402


def main():
    listener = supervise.listen(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a supervisor ended: its folder tells
    os.write(1, b"ready\n")
    poll = select.poll()
    poll.register(0, select.POLLIN | select.POLLHUP)
    poll.register(listener, select.POLLIN)
    while True:
        ready = [fd for fd, _ in poll.poll()]
        if 0 in ready and not os.read(0, 1):
            return
        if listener.fileno() in ready:
            connection, _ = listener.accept()
            if os.fork() == 0:
                become(listener, connection)
            connection.close()


def become(listener, connection):
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
        supervise.main(os.fsdecode(folder[:-1]))
        os._exit(0)
    except BaseException:
        supervise.complain()
        os._exit(1)


main()
