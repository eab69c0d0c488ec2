"""Runs one step of a build: mounts the environment's overlay, takes the limits, starts the sandbox, watches its disk.

Run as `python -I -S enclose.py ORDER`, ORDER being a JSON file: {"argv", "env", "cwd" and "seccomp" where they are given, "loose": whether
nothing else ends the step's children with it, "overlay" or null, "groupFiles": [files], "groups": [folders], "rlimits": {},
"input": file for its standard input or null, "watch": {"folders", "disk", "memory", "processes"}}. Ends with the step's exit code; 122 and a line on
stderr when a limit was broken. The step ends with whoever started this program: a hub that is killed leaves no build behind.
"""

import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from family import Family  # noqa: E402
from mounts import filled, private_mounts, unmount  # noqa: E402
from usage import Usage, remove_group, take_bounds  # noqa: E402

BROKEN = 122


def main():
    hub = os.getppid()
    with open(sys.argv[1], "rb") as file:
        order = json.load(file)
    if order["overlay"]:
        private_mounts(order["overlay"])
    fds = {"seccomp": os.open(order["seccomp"], os.O_RDONLY)} if order.get("seccomp") else {}
    argv = filled(order["argv"], fds)

    given = open(order["input"], "rb") if order.get("input") else subprocess.DEVNULL
    family = Family(loose=order["loose"])
    env = order.get("env", {"PATH": "/usr/bin:/bin"})
    child = subprocess.Popen(argv, stdin=given, pass_fds=list(fds.values()), preexec_fn=lambda: take_bounds(order), env=env, cwd=order.get("cwd"))
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    family.roots.add(child.pid)
    code = watch(child, Usage(order["watch"], family), hub)
    if order["loose"]:
        family.kill()
    if order["overlay"]:
        unmount(order["overlay"])
    for path in order["groups"]:
        remove_group(path)
    sys.exit(code)


def watch(child, used, hub):
    while True:
        try:
            code = child.wait(1.0)
            return code if code >= 0 else 128 - code
        except subprocess.TimeoutExpired:
            pass
        abandoned = os.getppid() != hub
        broken = None if abandoned else used.broken()
        if broken:
            print(f"bindery: {broken[1]}", file=sys.stderr, flush=True)
        if broken or abandoned:
            child.kill()
            child.wait()
            return BROKEN


main()
