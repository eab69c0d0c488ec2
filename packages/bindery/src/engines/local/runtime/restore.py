"""Puts the saved work of an ended session (save.py) over a fresh copy of its repository.

Run inside a sandbox of its own that may write the new session's folder and nothing else, the archive on standard input:
`python -I -S restore.py FOLDER BYTES [FROM TO]...` copies each FROM to its TO, then unpacks into FOLDER, BYTES at most. The archive was
made from what a session left and is believed in nothing: a member that is neither file nor link, leads out of the folder or into
Git's own, ends it; links are made as they are and never followed. Prints {"files": count, "removed": count}; ends with 3 and a
sentence on stderr when the archive is refused.
"""

import gzip
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import zlib

REMOVED = ".bindery-removed.json"
MOST_FILES = 1_000_000
REMOVED_BYTES = 64 << 20
REFUSED = 3
REFLINKS = ["--reflink=auto"] if sys.platform == "linux" else []


class Refused(Exception):
    pass


class Bounded:
    """What unpacks to more than it may is refused, not waited for."""

    def __init__(self, file, limit):
        self.file, self.left = file, limit

    def read(self, size):
        data = self.file.read(size)
        self.left -= len(data)
        if self.left < 0:
            raise Refused("it unpacks to more than a session may write to disk")
        return data


def main(folder, limit, *copies):
    for source, target in zip(copies[::2], copies[1::2]):
        if subprocess.run(["/bin/cp", "-a", *REFLINKS, "--", f"{source}/.", f"{target}/"]).returncode != 0:
            sys.exit("the repository's content could not be copied")
    os.chdir(folder)
    try:
        with tarfile.open(fileobj=Bounded(gzip.open(sys.stdin.buffer), int(limit)), mode="r|", encoding="utf-8", errors="surrogateescape") as archive:
            print(json.dumps(unpack(archive, int(limit))))
    except (Refused, tarfile.TarError, zlib.error, OSError, EOFError, ValueError, RecursionError, MemoryError) as error:
        print(f"bindery: {str(error) or 'it is damaged'}", file=sys.stderr)
        sys.exit(REFUSED)


def unpack(archive, limit):
    files = removed = 0
    for member in archive:
        path = inside(member.name)
        if not (member.isreg() or member.issym()):
            raise Refused(f"{member.name!r} is neither a file nor a link")
        if member.size > limit:
            raise Refused("it unpacks to more than a session may write to disk")
        if member.name == REMOVED and member.isreg():
            removed += take_away(archive.extractfile(member).read(REMOVED_BYTES))
            continue
        files += 1
        if files > MOST_FILES:
            raise Refused(f"it holds more than {MOST_FILES} files")
        make_way(path)
        if member.issym():
            os.symlink(member.linkname, path)
        else:
            write(path, member, archive.extractfile(member))
    return {"files": files, "removed": removed}


def inside(name):
    """The path, relative and below the folder, none of whose parts means anything but a name."""
    parts = name.split("/")
    if any(part in ("", ".", "..", ".git") or "\0" in part for part in parts):
        raise Refused(f"{name!r} does not lie in the repository's folder")
    return os.path.join(*parts)


def make_way(path):
    """Folders above `path`, real ones; what stands where it goes is taken away."""
    parts = path.split("/")
    for depth in range(1, len(parts)):
        above = "/".join(parts[:depth])
        if not is_folder(above):
            if os.path.lexists(above):
                os.unlink(above)
            os.mkdir(above, 0o755)
    if is_folder(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def write(path, member, content):
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        shutil.copyfileobj(content, file, 1 << 20)
        file.flush()
        try:
            os.utime(file.fileno(), (member.mtime, member.mtime))
        except (OSError, OverflowError, ValueError):
            pass  # no time that a file can have
        os.fchmod(file.fileno(), member.mode & 0o777)


def take_away(text):
    """Removes what the session had removed, and the folders that are empty then. Returns how many there were."""
    names = json.loads(text)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Refused("its list of removed files cannot be read")
    count = 0
    for name in names:
        path = inside(name)
        above = [path.rsplit("/", depth)[0] for depth in range(1, path.count("/") + 1)]
        if not all(is_folder(folder) for folder in above) or is_folder(path) or not os.path.lexists(path):
            continue
        os.unlink(path)
        count += 1
        for folder in above:
            try:
                os.rmdir(folder)
            except OSError:
                break
    return count


def is_folder(path):
    return stat.S_ISDIR(os.lstat(path).st_mode) if os.path.lexists(path) else False


if __name__ == "__main__":
    main(*sys.argv[1:])
