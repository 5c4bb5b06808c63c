"""The process that untrusted programs are forked from: a bare interpreter, started once by isolate.py.

zygote (namespaces, private root) -> supervisor (one a program; trusted; ends it) -> program (pid 1 of its own pid
namespace; walled in; see harness.py). The program's side holds no expected outputs: it can only return values.

Messages: the parent sends one byte with three or four descriptors: the request (a file holding JSON), the result pipe
(untrusted), the status socket (to which the supervisor writes the number of the program's process and, when all is
over, how it ended; its hangup ends the program), and for some requests the feed pipe.
"""

import contextlib
import functools
import gc
import importlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from typing import Any

from prmkit.sandbox import confine, harness, seccomp

_PRELOADED = ("bisect", "collections", "functools", "heapq", "itertools", "math", "re", "string", "typing")
_PRELOADED_PACKAGES = ("unittest.mock", "numpy", "pandas", "matplotlib.pyplot")
"""Imported before any program, so that programs find them loaded and start at once."""

_PROGRAM_NAMESPACES = confine.NEWPID | confine.NEWNS | confine.NEWIPC


def main(descriptor: int, *, packages: bool) -> None:
    """Serve requests until the parent closes its end. The first message out is the JSON list of walls in force.

    Args:
        descriptor: the socket to the parent.
        packages: whether programs see the installed packages; the common ones are imported beforehand.
    """
    channel = socket.socket(fileno=descriptor)
    for name in (*_PRELOADED, *(_PRELOADED_PACKAGES if packages else ())):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    walls = _raise_walls()
    channel.sendall(json.dumps(walls).encode() + b"\n")
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1, 4)
        if not message:
            return
        if os.fork() == 0:
            try:
                channel.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                confine.die_with_parent()
                _supervise(*descriptors, walls=walls)
            finally:
                os._exit(0)
        for opened in descriptors:
            os.close(opened)


def readable_paths() -> list[str]:
    """The system, the interpreter and, if programs may see them, the installed packages; outermost first.

    With the packages an environment shows its interpreter too: ``sys.executable`` is what a program starts another by.
    """
    found: list[str] = []
    packages = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    if packages and sys.prefix != sys.base_prefix:
        packages += [f"{sys.prefix}/bin", f"{sys.prefix}/pyvenv.cfg"]
    for path in ("/usr", "/lib", "/lib64", "/lib32", "/bin", sys.base_prefix, sys.base_exec_prefix, *packages):
        inside = any(path == shown or path.startswith(shown + "/") for shown in found)
        if not inside and os.path.exists(path):
            found.append(path)
    return found


def _raise_walls() -> list[str]:
    walls = ["rlimits", "session"]
    if sys.platform != "linux":
        return walls
    walls.append("no_new_privs")
    walls += _enter_private_root() or _enter_namespaces()
    abi = confine.landlock_abi()
    walls += [f"landlock{abi}"] if abi else []
    return [*walls, "seccomp"] if seccomp.available() and confine.works(_rehearse_seccomp) else walls


def _enter_private_root() -> list[str]:
    # Strongest first: root with a user of its own for every program, root, then an unprivileged user namespace.
    for user, uid in ((False, True), (False, False), (True, False)):
        if confine.works(functools.partial(_rehearse, user, uid)):
            confine.enter_namespaces(user=user)
            confine.private_root(readable_paths())
            return ["net", "ipc", "pid", "root", *(["uid"] if uid else [])]
    return []


def _enter_namespaces() -> list[str]:
    """The namespaces alone, where no private root can be made."""
    for user in (False, True):
        if confine.works(functools.partial(confine.enter_namespaces, user=user)):
            confine.enter_namespaces(user=user)
            return ["net", "ipc", *(["pid"] if confine.works(lambda: confine.unshare(confine.NEWPID)) else [])]
    return []


def _rehearse_seccomp() -> None:
    confine.no_new_privileges()
    seccomp.refuse_system_calls()


def _rehearse(user: bool, uid: bool) -> None:
    confine.enter_namespaces(user=user)
    confine.private_root(readable_paths())
    confine.unshare(_PROGRAM_NAMESPACES)
    # Forked: the first process of a pid namespace.
    if not confine.works(functools.partial(confine.mount_folders, readable_paths())):
        raise OSError("no private folder")
    confine.drop_privileges(_uid() if uid else None)


def _uid() -> int:
    """A user far from those of a machine, another for every supervisor, so that the process limit counts it alone."""
    return (1 << 30) + os.getpid()


def _supervise(request_file: int, result: int, status: int, feed: int | None = None, *, walls: list[str]) -> None:
    request = json.loads(_read_all(request_file))
    os.close(request_file)
    box = confine.BOX if "root" in walls else tempfile.mkdtemp(prefix="prmkit-")
    confine.adopt_orphans()
    if "pid" in walls:
        confine.unshare(_PROGRAM_NAMESPACES if "root" in walls else confine.NEWPID)
    uid = _uid() if "uid" in walls else None
    deadline = time.monotonic() + request["wall_seconds"]
    pid = os.fork()
    if pid == 0:
        try:
            os.close(status)
            confine.die_with_parent()
            _wall_in(request, box, uid, walls)
            harness.run(request, result, feed)
        finally:
            os._exit(1)
    with contextlib.suppress(OSError):  # a parent that is gone: seen below
        os.write(status, f"{pid}\n".encode())
    os.close(result)
    if feed is not None:
        os.close(feed)
    ended = _wait(pid, status, deadline)
    _kill_all(pid)
    if "root" not in walls:
        shutil.rmtree(box, ignore_errors=True)
    os.write(status, f"{ended}\n".encode())


def _wait(pid: int, status: int, deadline: float) -> str:
    """How the program ended: ``Exit`` with its code, ``Killed``, or ``Timeout`` if the clock or the parent ended it."""
    pause = 0.0002
    poll = select.poll()
    poll.register(status, select.POLLIN)  # readable: the parent has shut down its side
    watched = os.pidfd_open(pid) if hasattr(os, "pidfd_open") else None
    if watched is not None:
        poll.register(watched, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        ended = _ended(pid)
        if ended:
            return ended
        if any(ready == status for ready, _ in poll.poll(min(left, 1.0 if watched is not None else pause) * 1000)):
            break
        pause = min(1.3 * pause, 0.01)
    return "Timeout"


def _ended(pid: int) -> str:
    """How the process ended, or nothing while it lives."""
    if not hasattr(os, "waitid"):  # macOS
        reaped, code = os.waitpid(pid, os.WNOHANG)
        return (f"Exit{os.WEXITSTATUS(code)}" if os.WIFEXITED(code) else "Killed") if reaped else ""
    # WNOWAIT leaves the dead process in place, so that its group cannot be another's when it is killed.
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return (f"Exit{found.si_status}" if found.si_code == os.CLD_EXITED else "Killed") if found else ""


def _kill_all(pid: int) -> None:
    """End the program, its group, and what left the group and was adopted by this supervisor."""
    for kill, number in ((os.kill, pid), (os.killpg, pid)):
        try:
            kill(number, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # ended before, or a zombie (macOS)
            continue
    while True:
        try:
            reaped, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if reaped == 0:
            for orphan in _children():
                os.kill(orphan, signal.SIGKILL)
            time.sleep(0.0005)


def _children() -> list[int]:
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        # The private root shows no /proc; there the pid namespace has already ended every descendant.
        return []


def _wall_in(request: dict[str, Any], box: str, uid: int | None, walls: list[str]) -> None:
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.close(null)
    if "root" in walls:
        confine.mount_folders(readable_paths())
    os.chdir(box)
    os.environ.update({"HOME": box, "TMPDIR": box, "MPLCONFIGDIR": box})
    # Threads use up processor time side by side, and a busy parent sees late that time is up: its clock decides.
    confine.limit_resources(seconds=request["wall_seconds"], memory_mb=request["memory_mb"])
    if sys.platform == "linux":
        confine.no_new_privileges()
    if "net" in walls:
        confine.drop_privileges(uid)
        confine.die_with_parent()
    abi = next((int(wall.removeprefix("landlock")) for wall in walls if wall.startswith("landlock")), 0)
    if abi:
        confine.landlock(readable_paths(), [box, confine.TEMPORARY] if "root" in walls else [box], abi)
    if "seccomp" in walls:
        seccomp.refuse_system_calls()
    for name in [name for name in sys.modules if name.partition(".")[0] == "prmkit"]:
        del sys.modules[name]


def _read_all(descriptor: int) -> bytes:
    blocks, offset = [], 0
    while block := os.pread(descriptor, 1 << 20, offset):
        blocks.append(block)
        offset += len(block)
    return b"".join(blocks)
