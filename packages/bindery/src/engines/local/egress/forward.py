"""Carries TCP connections made to 127.0.0.1 inside a sandbox, which has no network, to the egress proxy's UNIX socket.

usage: forward.py SOCKET [PORT]

Nothing but the smallest modules is imported and one thread serves all: it starts in a few milliseconds and counts as one
process. Each connection opens the socket anew, so a proxy that was started again is found; while there is none, new
connections wait a little before they are told so.
"""

import select
import socket
import sys
import time

CHUNK = 65536
PAIRS = 256  # connections at once; more wait in the listener's queue
PATIENCE = 5.0  # seconds that a connection waits for the proxy
UNAVAILABLE = (
    b"HTTP/1.1 503 Network proxy not available\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
    b"The hub's network proxy is not running right now. Try again in a moment.\n"
)


class Side:
    """One of the two ends of a carried connection."""

    __slots__ = ("socket", "peer", "pending", "ended", "events")

    def __init__(self, connection):
        connection.setblocking(False)
        self.socket = connection
        self.peer = None
        self.pending = b""  # to be written to this side
        self.ended = False  # this side will send no more
        self.events = 0


class Forwarder:
    def __init__(self, listener, path):
        listener.setblocking(False)
        self.listener = listener
        self.path = path
        self.sides = {}
        self.waiting = []  # (deadline, client)
        self.poll = select.epoll()
        self.listening = False

    def run(self):
        while True:
            self.listen(len(self.sides) // 2 + len(self.waiting) < PAIRS)
            for number, _ in self.poll.poll(0.05 if self.waiting else -1):
                if number == self.listener.fileno():
                    self.accept()
                elif number in self.sides:
                    self.serve(self.sides[number])
            waiting, self.waiting = self.waiting, []
            for deadline, client in waiting:
                self.connect(client, deadline)

    def listen(self, wanted):
        if wanted != self.listening:
            self.listening = wanted
            (self.poll.register if wanted else self.poll.unregister)(self.listener, *([select.EPOLLIN] if wanted else []))

    def accept(self):
        try:
            client, _ = self.listener.accept()
        except BlockingIOError:
            return
        except OSError:  # out of file descriptors: some will be given back
            time.sleep(0.05)
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connect(client, time.monotonic() + PATIENCE)

    def connect(self, client, deadline):
        try:
            proxy = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        except OSError:
            self.waiting.append((deadline, client))
            return
        try:
            proxy.connect(self.path)
        except OSError:
            proxy.close()
            if time.monotonic() < deadline:
                self.waiting.append((deadline, client))
            else:
                self.refuse(client)
            return
        a, b = Side(client), Side(proxy)
        a.peer, b.peer = b, a
        for side in (a, b):
            self.sides[side.socket.fileno()] = side
            self.watch(side)

    def refuse(self, client):
        try:
            client.sendall(UNAVAILABLE)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        client.close()

    def serve(self, side):
        try:
            if side.pending:
                self.write(side)
            if not side.ended and not side.peer.pending:
                self.read(side)
        except BlockingIOError:
            pass
        except OSError:
            self.close(side)
            return
        if side.ended and side.peer.ended and not side.pending and not side.peer.pending:
            self.close(side)
            return
        self.watch(side)
        self.watch(side.peer)

    def read(self, side):
        data = side.socket.recv(CHUNK)
        if data:
            side.peer.pending = data
            self.write(side.peer)
        else:
            side.ended = True
            if not side.peer.pending:
                side.peer.socket.shutdown(socket.SHUT_WR)

    def write(self, side):
        try:
            side.pending = side.pending[side.socket.send(side.pending) :]
        except BlockingIOError:
            return
        if not side.pending and side.peer.ended:
            side.socket.shutdown(socket.SHUT_WR)

    def watch(self, side):
        """Nothing to wait for means not watched at all: a hang-up would be reported for ever."""
        events = (0 if side.ended or side.peer.pending else select.EPOLLIN) | (select.EPOLLOUT if side.pending else 0)
        if events == side.events:
            return
        if not events:
            self.poll.unregister(side.socket)
        elif side.events:
            self.poll.modify(side.socket, events)
        else:
            self.poll.register(side.socket, events)
        side.events = events

    def close(self, side):
        for one in (side, side.peer):
            del self.sides[one.socket.fileno()]
            one.socket.close()


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: forward.py SOCKET [PORT]")
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) == 3 else 3128))
    listener.listen(128)
    Forwarder(listener, sys.argv[1]).run()


if __name__ == "__main__":
    main()
