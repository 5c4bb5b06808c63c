"""The process that untrusted programs are forked from: a bare interpreter, started once by isolate.py.

zygote (namespaces, private root) -> supervisor (one a program; trusted; keeps the clock) -> program (pid 1 of its own
pid namespace; walled in). The program's side holds no expected outputs: it can only return values.

Messages: the parent sends one byte with three descriptors: the request (a file holding JSON), the result pipe (one
JSON line ``[kind, text]`` a call, untrusted), and the status pipe (written by the supervisor only when all is over).
"""

import functools
import gc
import importlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from typing import Any

from prmkit.grade import confine

_PRELOADED = ("bisect", "collections", "functools", "heapq", "itertools", "math", "re", "string", "typing")
"""Imported before any program, so that programs find them loaded and start at once."""

_VALUE_CAP = 1 << 20
"""Longest value a call may return, in characters of JSON."""

_PROGRAM_NAMESPACES = confine.NEWPID | confine.NEWNS | confine.NEWIPC


def main(descriptor: int) -> None:
    """Serve requests until the parent closes its end. The first message out is the JSON list of walls in force."""
    channel = socket.socket(fileno=descriptor)
    walls = _raise_walls()
    channel.sendall(json.dumps(walls).encode() + b"\n")
    for name in _PRELOADED:
        importlib.import_module(name)
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        message, descriptors, _, _ = socket.recv_fds(channel, 1, 3)
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
    """The system and the interpreter, outermost first."""
    found: list[str] = []
    for path in ("/usr", "/lib", "/lib64", "/lib32", "/bin", sys.base_prefix, sys.base_exec_prefix):
        inside = any(path == shown or path.startswith(shown + "/") for shown in found)
        if not inside and os.path.exists(path):
            found.append(path)
    return found


def _raise_walls() -> list[str]:
    walls = ["rlimits", "session"]
    if sys.platform != "linux":
        return walls
    walls.append("no_new_privs")
    # Strongest first: root with a user of its own for every program, root, then an unprivileged user namespace.
    for user, uid in ((False, True), (False, False), (True, False)):
        if confine.works(functools.partial(_rehearse, user, uid)):
            confine.enter_namespaces(user=user)
            confine.private_root(readable_paths())
            walls += ["net", "ipc", "pid", "root", *(["uid"] if uid else [])]
            break
        if confine.works(functools.partial(confine.enter_namespaces, user=user)):
            confine.enter_namespaces(user=user)
            walls += ["net", "ipc"]
            walls += ["pid"] if confine.works(lambda: confine.unshare(confine.NEWPID)) else []
            break
    abi = confine.landlock_abi()
    return [*walls, f"landlock{abi}"] if abi else walls


def _rehearse(user: bool, uid: bool) -> None:
    confine.enter_namespaces(user=user)
    confine.private_root(readable_paths())
    confine.unshare(_PROGRAM_NAMESPACES)
    if not confine.works(confine.mount_box):  # forked: the first process of a pid namespace
        raise OSError("no private folder")
    confine.drop_privileges(_uid() if uid else None)


def _uid() -> int:
    """A user far from those of a machine, another for every supervisor, so that the process limit counts it alone."""
    return (1 << 30) + os.getpid()


def _supervise(request_file: int, result: int, status: int, *, walls: list[str]) -> None:
    request = json.loads(_read_all(request_file))
    os.close(request_file)
    box = confine.BOX if "root" in walls else tempfile.mkdtemp(prefix="prmkit-")
    confine.adopt_orphans()
    if "pid" in walls:
        confine.unshare(_PROGRAM_NAMESPACES if "root" in walls else confine.NEWPID)
    uid = _uid() if "uid" in walls else None
    deadline = time.monotonic() + request["seconds"]
    pid = os.fork()
    if pid == 0:
        try:
            os.close(status)
            confine.die_with_parent()
            _wall_in(request, box, uid, walls)
            _run(request, result)
        finally:
            os._exit(1)
    os.close(result)
    ended = _wait(pid, deadline)
    _kill_all(pid)
    if "root" not in walls:
        shutil.rmtree(box, ignore_errors=True)
    os.write(status, ended.encode())


def _wait(pid: int, deadline: float) -> str:
    pause = 0.0002
    while time.monotonic() < deadline:
        ended = _ended(pid)
        if ended:
            return ended
        time.sleep(pause)
        pause = min(1.3 * pause, 0.01)
    return "Timeout"


def _ended(pid: int) -> str:
    """How the process ended, or nothing while it lives."""
    if not hasattr(os, "waitid"):  # macOS
        reaped, status = os.waitpid(pid, os.WNOHANG)
        return ("Exit" if os.WIFEXITED(status) else "Killed") if reaped else ""
    # WNOWAIT leaves the dead process in place, so that its group cannot be another's when it is killed.
    found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return ("Exit" if found.si_code == os.CLD_EXITED else "Killed") if found else ""


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
        confine.mount_box()
    os.chdir(box)
    os.environ.update({"HOME": box, "TMPDIR": box})
    confine.limit_resources(seconds=request["seconds"], memory_mb=request["memory_mb"])
    if sys.platform == "linux":
        confine.no_new_privileges()
    if "net" in walls:
        confine.drop_privileges(uid)
        confine.die_with_parent()
    abi = next((int(wall.removeprefix("landlock")) for wall in walls if wall.startswith("landlock")), 0)
    if abi:
        confine.landlock(readable_paths(), box, abi)
    for name in [name for name in sys.modules if name.partition(".")[0] == "prmkit"]:
        del sys.modules[name]


def _run(request: dict[str, Any], result: int) -> None:
    sys.set_int_max_str_digits(0)
    random.seed(0)  # a program that draws numbers draws the same ones in every run
    namespace: dict[str, Any] = {"__name__": "__program__"}
    failure: str | None = None
    # BaseException: sys.exit and the like are an outcome of the program, not of this harness.
    try:
        exec(compile(request["program"], "<program>", "exec"), namespace)
    except BaseException as error:
        failure = type(error).__name__
    for given in request["inputs"]:
        if failure is not None:
            _reply(result, ["error", failure])
            continue
        try:
            text = json.dumps(namespace[request["entry_point"]](*json.loads(given)))
            reply = ["value", text] if len(text) <= _VALUE_CAP else ["error", "OutputTooLarge"]
        except BaseException as error:
            reply = ["error", type(error).__name__[:80]]
        _reply(result, reply)
    os._exit(0)


def _reply(result: int, reply: list[str]) -> None:
    data = memoryview(json.dumps(reply).encode() + b"\n")
    while data:
        data = data[os.write(result, data) :]


def _read_all(descriptor: int) -> bytes:
    blocks, offset = [], 0
    while block := os.pread(descriptor, 1 << 20, offset):
        blocks.append(block)
        offset += len(block)
    return b"".join(blocks)
