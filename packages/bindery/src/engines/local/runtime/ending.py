"""The end of a session, by its supervisor, or by whoever does what is left to do for one that was killed (supervise.py)."""

import json
import os
import resource
import shutil
import signal
import subprocess
import time

from family import Family
from mounts import filled, unmount
from usage import remove_group


def write_json(name, value):
    """Complete by rename: whoever reads it finds all of it, or what was there before."""
    with open(name + ".part", "w") as file:
        json.dump(value, file)
    os.rename(name + ".part", name)


def left_over():
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
            ended["savedBytes"], left_out = save(order)
            if left_out:
                ended["saveError"] = left_out
        except Exception as error:  # the session's end must be recorded whatever happens to its files
            ended["saveError"] = str(error)
    write_json("ended.json", {**ended, "at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())})
    for path in order["groups"]:
        remove_group(path)
    clean(order)


def save(order):
    """Runs the saving sandbox; its standard output is the archive. Returns bytes, 0 when nothing was changed, and what it says was left out."""
    part = order["save"]["to"] + ".part"
    fds = {"seccomp": os.open(order["save"]["seccomp"], os.O_RDONLY)} if order["save"].get("seccomp") else {}
    argv = filled(order["save"]["argv"], fds)
    os.makedirs(os.path.dirname(part), mode=0o700, exist_ok=True)
    limit = order["save"]["bytes"] + (1 << 20)  # save.py keeps to it by the files' sizes

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
        return 0, ""
    os.rename(part, order["save"]["to"])
    return size, result.stderr.decode(errors="replace").strip()[-500:]


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
