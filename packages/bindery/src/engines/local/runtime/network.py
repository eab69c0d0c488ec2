"""The open network of a sandbox: packet filter rules first, then slirp4netns (egress/open.ts says which)."""

import json
import os
import select
import subprocess

from mounts import filled

SECONDS = 10
ENV = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def open_network(order, pid):
    """order: {"enter", "rules", "carry"}. Returns a descriptor: the network ends when it is closed, at the latest with this process."""
    rules = subprocess.run(filled(order["enter"], {"pid": pid}), input=order["rules"].encode(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=ENV, timeout=SECONDS)
    if rules.returncode != 0:
        raise RuntimeError(f"The rules of the open network could not be set: {last_line(rules.stderr)}")
    ready_read, ready_write = os.pipe()
    exit_read, exit_write = os.pipe()
    said = os.memfd_create("slirp4netns")
    words = filled(order["carry"], {"pid": pid, "ready": ready_write, "exit": exit_read})
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said, pass_fds=(ready_write, exit_read), env=ENV)
    os.close(ready_write)
    os.close(exit_read)
    answered = select.select([ready_read], [], [], SECONDS)[0] and os.read(ready_read, 1)
    os.close(ready_read)
    if not answered:
        child.kill()
        child.wait()
        os.lseek(said, 0, os.SEEK_SET)
        raise RuntimeError(f"The open network did not come up: {last_line(os.read(said, 4096))}")
    os.close(said)
    return exit_write


def last_line(data):
    return (data.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]


def sandbox_pid(info):
    """The first process of a sandbox (bubblewrap's `--info-fd`), or None where it ended while it was made."""
    data = b""
    while not data.rstrip().endswith(b"}"):
        chunk = os.read(info, 4096)
        if not chunk:
            return None
        data += chunk
    return json.loads(data)["child-pid"]
