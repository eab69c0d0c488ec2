"""Mounts that bubblewrap 0.8 cannot make: the environment's overlay, in a mount namespace of the caller's own."""

import ctypes
import os
import signal

CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_REC, MS_PRIVATE, MS_NOSUID, MS_NODEV = 0x4000, 0x40000, 2, 4
AT_FDCWD, AT_EMPTY_PATH = -100, 0x1000
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442  # the same numbers on every architecture
OPEN_TREE_CLONE_CLOEXEC, MOVE_MOUNT_F_EMPTY_PATH, MOUNT_ATTR_IDMAP = 0x1 | 0o2000000, 0x4, 0x00100000

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
    return result


def mount(source, target, kind, flags, data=None):
    encode = lambda text: None if text is None else text.encode()
    check(libc.mount(encode(source), target.encode(), encode(kind), ctypes.c_ulong(flags), encode(data)), f"mount {target}")


def private_mounts(overlay):
    """overlay: {"lower": [top first], "upper", "work", "mount", "owner": uid of lower's files or null, "uid": uid to show them as}.

    A root caller shows the lower folders with the sandbox's uid as their owner, so that changing and removing files there works;
    any other caller makes a user namespace first, in which the files are its own anyway.
    """
    uid, gid = os.getuid(), os.getgid()
    check(libc.unshare(CLONE_NEWNS if uid == 0 else CLONE_NEWNS | CLONE_NEWUSER), "unshare")
    if uid != 0:
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {uid} 1")
        write("/proc/self/gid_map", f"{gid} {gid} 1")
    mount(None, "/", None, MS_REC | MS_PRIVATE)
    lower = overlay["lower"]
    if uid == 0 and overlay["uid"] is not None:
        lower = [shown_as(path, f"{overlay['mount']}-lower-{index}", overlay["owner"], overlay["uid"]) for index, path in enumerate(lower)]
    options = f"lowerdir={':'.join(map(escape, lower))},upperdir={escape(overlay['upper'])},workdir={escape(overlay['work'])},userxattr"
    mount("overlay", overlay["mount"], "overlay", MS_NOSUID | MS_NODEV, options)


def escape(path):
    """The overlay's options know backslash, colon and comma as their own."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


def shown_as(path, target, owner, uid):
    """The folder again at `target`, with what belongs to `owner` shown as `uid`'s (an id-mapped mount: Linux 5.12; under an overlay 5.19)."""
    os.makedirs(target, exist_ok=True)
    child = os.fork()
    if child == 0:
        check(libc.unshare(CLONE_NEWUSER), "unshare")
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    try:
        os.waitpid(child, os.WUNTRACED)
        write(f"/proc/{child}/uid_map", f"{owner} {uid} 1")
        write(f"/proc/{child}/gid_map", f"{owner} {uid} 1")
        namespace = os.open(f"/proc/{child}/ns/user", os.O_RDONLY)
        tree = check(libc.syscall(OPEN_TREE, AT_FDCWD, path.encode(), OPEN_TREE_CLONE_CLOEXEC), "open_tree")
        attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_IDMAP, 0, 0, namespace)
        check(libc.syscall(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH, ctypes.byref(attributes), 32), "mount_setattr")
        check(libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, target.encode(), MOVE_MOUNT_F_EMPTY_PATH), "move_mount")
        os.close(tree)
        os.close(namespace)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return target


def unmount(overlay):
    """Takes the mounts and their helper folders away again; they would go with the caller's namespace anyway."""
    for path in (overlay["mount"], *(f"{overlay['mount']}-lower-{index}" for index in range(len(overlay["lower"])))):
        libc.umount2(path.encode(), 2)
        if path != overlay["mount"]:
            try:
                os.rmdir(path)
            except OSError:
                pass


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def filled(words, fds):
    """The words of a command with each that is exactly `{name}` replaced by the descriptor of that name; others may hold anything."""
    numbers = {"{%s}" % name: str(fd) for name, fd in fds.items()}
    return [numbers.get(word, word) for word in words]
