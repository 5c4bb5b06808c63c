"""Walls around an untrusted program: Linux namespaces, Landlock, capabilities and rlimits, through ctypes.

This module and zygote.py run in a bare interpreter that never sees the site packages: standard library only.

Source: user_namespaces(7), pid_namespaces(7), pivot_root(2), landlock(7).
"""

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Callable, Sequence

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
"""Flags of unshare(2)."""
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_MOVE, _MS_REC, _MS_PRIVATE = 0x20, 0x1000, 0x2000, 0x4000, 0x40000
_MNT_DETACH = 2
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 24, 36, 38
_CAPABILITY_VERSION_3 = 0x20080522
_LANDLOCK_CREATE, _LANDLOCK_ADD_RULE, _LANDLOCK_RESTRICT_SELF = 444, 445, 446
_READ_FILE, _READ = 0x4, 0x1 | 0x4 | 0x8
_DEVICES = ("/dev/null", "/dev/urandom")
BOX = "/box"
"""Where the private folder of a program is mounted in the private root."""
TEMPORARY = "/tmp"
"""Where it has another one there: programs write to this path by its name."""

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Move this process into new namespaces. Raises OSError where the system does not allow it."""
    _check(_libc.unshare(flags), "unshare")


def works(attempt: Callable[[], object]) -> bool:
    """Whether ``attempt`` succeeds, found out in a child process, so that a half-done attempt leaves no trace here."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            attempt()
            code = 0
        finally:
            os._exit(code)
    return os.waitpid(pid, 0)[1] == 0


def enter_namespaces(*, user: bool) -> None:
    """Cut this process off from mounts, network and IPC of the machine.

    Args:
        user: through a new user namespace, which needs no privilege; without, the process must be root.
    """
    uid, gid = os.getuid(), os.getgid()
    unshare(NEWNS | NEWNET | NEWIPC | NEWUTS | (NEWUSER if user else 0))
    if user:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    mount("none", "/", None, _MS_REC | _MS_PRIVATE)


def mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    """mount(2)."""
    arguments = (source.encode(), target.encode(), kind.encode() if kind else None)
    _check(_libc.mount(*arguments, ctypes.c_ulong(flags), options.encode()), f"mount {target}")


def private_root(paths: Sequence[str]) -> None:
    """Replace the root of this mount namespace by an empty read-only one of ``paths``, BOX and TEMPORARY alone."""
    # Any folder that no path lies under will do as the mount point; /proc exists everywhere and is not shown.
    root = "/proc"
    mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "size=1m,mode=755")
    for path in paths:
        _place(path, root + path)
    for path in _DEVICES:
        os.makedirs(root + "/dev", exist_ok=True)
        _show(path, root + path, read_only=False)
    os.mkdir(root + BOX)
    os.makedirs(root + TEMPORARY, exist_ok=True)
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", _MNT_DETACH), "umount")
    os.chdir("/")
    mount("none", "/", None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)


def _place(path: str, target: str) -> None:
    """Show a path at another place, read-only, unless something shows it there already."""
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
    elif not os.path.exists(target):
        _show(path, target, read_only=True)


def _show(path: str, target: str, *, read_only: bool) -> None:
    if os.path.isdir(path):
        os.mkdir(target)
    else:
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(path, target, None, _MS_BIND | _MS_REC)
    if read_only:
        # A user namespace may not drop flags that the machine has set, so they are repeated.
        kept = os.statvfs(target).f_flag & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
        mount("none", target, None, _MS_REMOUNT | _MS_BIND | _MS_RDONLY | kept)


def mount_folders(paths: Sequence[str]) -> None:
    """Mount an empty folder of 32 MiB at BOX and one at TEMPORARY; they vanish with the mount namespace.

    Those of ``paths`` that lie in TEMPORARY (an environment that somebody tries out) stay visible there.
    """
    options = "size=32m,mode=1777,nr_inodes=4096"
    mount("tmpfs", BOX, "tmpfs", _MS_NOSUID | _MS_NODEV, options)
    for path in paths:
        if path.startswith(TEMPORARY + "/"):
            _place(path, BOX + path.removeprefix(TEMPORARY))
    mount(BOX, TEMPORARY, None, _MS_MOVE)
    mount("tmpfs", BOX, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def landlock_abi() -> int:
    """Version of Landlock in this kernel, 0 for none."""
    if sys.platform != "linux":
        return 0
    return max(0, int(_libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))))


def landlock(readable: Sequence[str], writable: Sequence[str], abi: int) -> None:
    """Allow this process and its children to read ``readable``, to write under ``writable``, and nothing else.

    TCP is refused from version 4 on, signals to processes outside from version 6 on.
    """
    # Bits by version: 13 of version 1, then REFER (2), TRUNCATE (3) and IOCTL_DEV (5).
    every = (1 << 13) - 1 | (1 << 13) * (abi >= 2) | (1 << 14) * (abi >= 3) | (1 << 15) * (abi >= 5)
    fields = [every] + [0b11] * (abi >= 4) + [0b11] * (abi >= 6)
    attributes = struct.pack(f"={len(fields)}Q", *fields)
    ruleset = _check(
        _libc.syscall(_LANDLOCK_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint32(0)), "landlock"
    )
    write_device = _READ_FILE | 0x2 | (1 << 14) * (abi >= 3)
    rules = [(path, _READ if os.path.isdir(path) else _READ & ~0x8) for path in readable]
    rules += [*((path, write_device) for path in _DEVICES), *((path, every) for path in writable)]
    for path, access in rules:
        if not os.path.exists(path):
            continue
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = struct.pack("=Qi", access, opened)
        _check(_libc.syscall(_LANDLOCK_ADD_RULE, ruleset, 1, rule, ctypes.c_uint32(0)), f"landlock {path}")
        os.close(opened)
    _check(_libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, ctypes.c_uint32(0)), "landlock")
    os.close(ruleset)


def drop_privileges(uid: int | None) -> None:
    """Give up every capability for good, becoming user ``uid`` first where one is given (root only)."""
    for capability in range(64):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = struct.pack("=Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, bytes(24)), "capset")


def no_new_privileges() -> None:
    """Let no exec of this process gain rights (setuid programs). Landlock asks for it."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ended, so that it can find and kill them."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def limit_resources(*, seconds: float, memory_mb: int) -> None:
    """Set the rlimits: CPU, address space, file size 16 MiB, 64 open files, 64 processes of this user, no core."""
    limits = {
        resource.RLIMIT_CPU: int(seconds) + 2,
        resource.RLIMIT_FSIZE: 16 << 20,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 64,
        resource.RLIMIT_CORE: 0,
    }
    if sys.platform == "linux":  # macOS refuses limits of address space
        limits[resource.RLIMIT_AS] = memory_mb << 20
    for kind, value in limits.items():
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (value, value))
