"""Writes what a session changed as a tar.gz to standard output; nothing when nothing was changed.

Run inside a sandbox of its own, if there are any, in the session's folder: `python -I -S save.py COMMIT BYTES`. Changed is what Git says: what differs from
the commit that was launched, committed since or not, and new files that are not ignored; in submodules too. Links are stored as links;
sockets and devices are left out. What was removed is named in a member of its own (REMOVED), a JSON list. Small files go first: what
does not fit into BYTES, or into the time, is left out, and that is said on standard error.
"""

import gzip
import io
import json
import os
import subprocess
import sys
import tarfile
import time

REMOVED = ".bindery-removed.json"
ENV = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_OPTIONAL_LOCKS": "0", "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null",
       "GIT_NO_REPLACE_OBJECTS": "1"}
SETTINGS = ["core.fsmonitor=false", "core.hooksPath=/dev/null", "safe.directory=*", "core.untrackedCache=false"]
DEEPEST = 8
SECONDS = 90


def git(folder, *words):
    """The names that Git lists, None where it fails."""
    argv = ["git", "-C", folder or b".", *(word for setting in SETTINGS for word in ("-c", setting)), *words]
    result = subprocess.run(argv, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return None if result.returncode else [name for name in result.stdout.split(b"\0") if name]


def changed(folder, commit, depth=0):
    """Paths, from the session's folder on, of what differs from `commit`: also of what is there no more."""
    differing = git(folder, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--ignore-submodules=all", commit)
    new = git(folder, "ls-files", "-z", "--others", "--exclude-standard")
    entries = git(folder, "ls-tree", "-r", "-z", commit)
    if differing is None or new is None or entries is None:
        return everything(folder)
    found = []
    for name in differing + new:
        path = os.path.join(folder, name.rstrip(b"/"))
        found += everything(path) if is_folder(path) else [path]
    for entry in entries:
        facts, _, name = entry.partition(b"\t")
        path = os.path.join(folder, name)
        if facts.startswith(b"160000 ") and depth < DEEPEST and os.path.lexists(os.path.join(path, b".git")):
            found += changed(path, facts.split()[2].decode(), depth + 1)
    return found


def everything(top):
    """All files of a folder: of one that came with a repository of its own, or where the session broke its .git."""
    found = []
    for folder, names, files in os.walk(top or b"."):
        found += [os.path.normpath(os.path.join(folder, name)) for name in names + files if name in files or os.path.islink(os.path.join(folder, name))]
        names[:] = [name for name in names if name not in (b".git", b".cache")]
    return [path for path in found if os.path.basename(path) != b".git"]


def is_folder(path):
    return os.path.isdir(path) and not os.path.islink(path)


def is_there(path, real={}):
    """Not so what a link in its path leads to: that is somewhere else."""
    top = os.path.dirname(path)
    if top not in real:
        real[top] = os.path.realpath(top or b".") == os.path.normpath(os.path.join(os.path.realpath(b"."), top))
    return real[top] and os.path.lexists(path)


def main():
    paths = sorted(set(changed(b"", sys.argv[1])) - {REMOVED.encode()})
    there = sorted((path for path in paths if is_there(path) and not is_folder(path)), key=lambda path: os.lstat(path).st_size)
    removed = [os.fsdecode(path) for path in paths if not is_there(path)]
    if not there and not removed:
        return
    left, until, out = int(sys.argv[2]), time.monotonic() + SECONDS, []
    # the lowest level: whoever stops a session waits for it
    with gzip.GzipFile(fileobj=sys.stdout.buffer, mode="wb", compresslevel=1) as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        if removed:
            text = json.dumps(removed, indent=1).encode()
            info = tarfile.TarInfo(REMOVED)
            info.size = len(text)
            archive.addfile(named(info), io.BytesIO(text))
        for path in there:
            left -= os.lstat(path).st_size + 1536  # with its headers
            if left < 0 or time.monotonic() > until or not add(archive, path):
                out.append(os.fsdecode(path))
    if out:
        print(f"{len(out)} left out, {ascii(out[0])} among them", file=sys.stderr)


def add(archive, path):
    """False for a file that cannot be read: the others are saved all the same."""
    info = archive.gettarinfo(os.fsdecode(path))
    if info is None:
        return True
    if info.islnk():  # a second name of one file: its content again, so that each member stands for itself
        info.type, info.linkname, info.size = tarfile.REGTYPE, "", os.lstat(path).st_size
    if info.isreg():
        try:
            file = open(path, "rb")
        except OSError:
            return False
        with file:
            archive.addfile(named(info), file)
    elif info.issym():
        archive.addfile(named(info))
    return True


def named(info):
    info.uid = info.gid = 1000
    info.uname = info.gname = "jovyan"
    return info


if __name__ == "__main__":
    main()
