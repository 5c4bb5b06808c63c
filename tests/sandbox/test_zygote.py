import functools
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prmkit.sandbox import confine, seccomp, zygote
from tests.sandbox.child import ENVIRONMENT, in_child


@pytest.fixture(scope="module")
def channel() -> Iterator[socket.socket]:
    """The parent's side of a zygote, which has said what walls there are."""
    ours, theirs = socket.socketpair()
    program = "import sys; from prmkit.sandbox.zygote import main; main(int(sys.argv[1]), packages=False)"
    with ours:
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(theirs.fileno())], env=ENVIRONMENT, pass_fds=[theirs.fileno()]
        )
        theirs.close()
        hello = b""
        while not hello.endswith(b"\n"):
            block = ours.recv(4096)
            assert block, "the zygote did not start"
            hello += block
        assert json.loads(hello)[:2] == ["rlimits", "session"]
        yield ours
    assert process.wait(60) == 0  # it ends when its parent closes


def started(channel: socket.socket, request: dict[str, Any]) -> tuple[int, socket.socket]:
    """Send a request; our ends of the result pipe and of the status socket."""
    read, write = os.pipe()
    status, theirs = socket.socketpair()
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps({"seconds": 60.0, "wall_seconds": 60.0, "memory_mb": 1024, **request}).encode())
        file.flush()
        socket.send_fds(channel, [b"p"], [file.fileno(), write, theirs.fileno()])
    os.close(write)
    theirs.close()
    pid = b""
    while not pid.endswith(b"\n"):
        pid += status.recv(1)
    assert int(pid) > 0
    return read, status


def asked(channel: socket.socket, request: dict[str, Any]) -> tuple[bytes, str]:
    read, status = started(channel, request)
    with status, open(read, "rb") as result:
        return result.read(), status.recv(64).decode().strip()


def calls(program: str, *inputs: str) -> dict[str, Any]:
    return {"mode": "calls", "program": program, "entry_point": "f", "inputs": inputs}


def test_a_request_is_answered_and_then_its_status_follows(channel: socket.socket) -> None:
    assert asked(channel, calls("def f(x): return 2 * x", "[2]")) == (b'["value", "4"]\n', "Exit0")
    assert asked(channel, calls("import os\nos._exit(5)", "[2]")) == (b"", "Exit5")


def test_a_program_finds_nothing_of_prmkit_in_its_process(channel: socket.socket) -> None:
    program = (
        "import sys, os\ndef f():\n    loaded = [name for name in sys.modules if name.startswith('prmkit')]\n"
        "    return [loaded, sys.stdin.read(), os.getcwd() == os.environ['HOME'] == os.environ['TMPDIR']]"
    )
    written, _ = asked(channel, calls(program, "[]"))
    assert json.loads(json.loads(written)[1]) == [[], "", True]


def test_the_clock_ends_a_program(channel: socket.socket) -> None:
    late = calls("def f(x):\n    while True: pass", "[1]") | {"wall_seconds": 0.3}
    assert asked(channel, late) == (b"", "Timeout")


def test_a_parent_that_hangs_up_ends_a_program(channel: socket.socket) -> None:
    read, status = started(channel, calls("import time\ndef f(x): time.sleep(x)\n", "[0]", "[50]"))
    with status, open(read, "rb", buffering=0) as result:
        assert result.read(100) == b'["value", "null"]\n'  # it runs
        status.shutdown(socket.SHUT_WR)
        assert status.recv(64) == b"Timeout\n"
        assert result.read(100) == b""  # and runs no more


def test_what_programs_may_read_is_named_once_outermost_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    given = [str(packages), str(packages / "dist-packages"), "/no/such/site-packages", "/usr/lib", str(tmp_path)]
    (packages / "dist-packages").mkdir()
    monkeypatch.setattr(sys, "path", given)
    found = zygote.readable_paths()
    assert [path for path in found if path.startswith(str(tmp_path))] == [str(packages)]
    assert all(os.path.exists(path) for path in found)
    assert found[0] == "/usr"
    for path in (sys.base_prefix, "/usr/lib", str(packages / "dist-packages")):
        assert sum(path == shown or path.startswith(shown + "/") for shown in found) == 1


WAITED = """
status, parent = socket.socketpair()
def waited(work, seconds=60.0):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    found = zygote._wait(pid, status.fileno(), time.monotonic() + seconds)
    os.kill(pid, signal.SIGKILL)  # it is still there, dead or not: its number cannot be another's
    os.waitpid(pid, 0)
    return found
"""


def test_how_a_program_ended_is_seen_by_its_supervisor() -> None:
    program = """
found = [
    waited(lambda: os._exit(0)),
    waited(lambda: os._exit(7)),
    waited(lambda: os.kill(os.getpid(), signal.SIGKILL)),
    waited(lambda: time.sleep(100), 0.2),
    waited(lambda: time.sleep(100), -1.0),
]
parent.shutdown(socket.SHUT_WR)
found.append(waited(lambda: time.sleep(100)))
print(json.dumps(found))
"""
    assert in_child(WAITED + program) == ["Exit0", "Exit7", "Killed", "Timeout", "Timeout", "Timeout"]


def test_nothing_of_a_program_outlives_it_not_even_what_left_its_group() -> None:
    program = """
confine.adopt_orphans()
ready, go = os.pipe()
read, write = os.pipe()
pid = os.fork()
if pid == 0:
    os.setsid()
    for leave in (os.setsid, lambda: None):
        if os.fork() == 0:
            leave()
            if os.fork() == 0:
                os.write(go, b"x")
            time.sleep(100)
            os.write(write, b"survived")
            os._exit(0)
    time.sleep(100)
os.close(write)
started = os.read(ready, 1) + os.read(ready, 1)
zygote._kill_all(pid)
print(json.dumps([open(read, "rb").read().decode(), zygote._children()]))
"""
    assert in_child(program) == ["", []]


def test_a_request_is_read_from_its_start_wherever_its_file_stands(tmp_path: Path) -> None:
    whole = bytes(range(256)) * (3 << 12)  # three blocks
    with open(tmp_path / "request", "w+b") as file:
        file.write(whole)
        file.flush()
        assert zygote._read_all(file.fileno()) == whole


def test_every_supervisor_has_a_user_of_its_own_far_from_others() -> None:
    assert zygote._uid() == (1 << 30) + os.getpid()


EVERYWHERE = ["rlimits", "session", "no_new_privs"]


@pytest.mark.parametrize(
    ("possible", "walls"),
    [
        (["root with users", "root", "user", "net user"], ["net", "ipc", "pid", "root", "uid"]),
        (["root", "user", "net", "net user"], ["net", "ipc", "pid", "root"]),  # no other user can be had
        (["user", "net", "net user"], ["net", "ipc", "pid", "root"]),
        (["net user", "pid"], ["net", "ipc", "pid"]),
        (["net"], ["net", "ipc"]),
        ([], []),
    ],
)
def test_the_strongest_walls_that_can_be_raised_are_raised(
    possible: list[str], walls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    raised: list[str] = []

    def works(attempt: Any) -> bool:
        if not isinstance(attempt, functools.partial):
            return "pid" in possible
        if attempt.func is zygote._rehearse:
            named = {(False, True): "root with users", (False, False): "root", (True, False): "user"}[attempt.args]  # type: ignore[index]
        else:
            named = "net user" if attempt.keywords["user"] else "net"
        return named in possible

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(confine, "works", works)
    monkeypatch.setattr(confine, "enter_namespaces", lambda *, user: raised.append("user" if user else "root"))
    monkeypatch.setattr(confine, "private_root", lambda paths: raised.append("private"))
    monkeypatch.setattr(confine, "landlock_abi", lambda: 0)
    monkeypatch.setattr(seccomp, "available", lambda: False)
    assert zygote._raise_walls() == [*EVERYWHERE, *walls]
    assert ("private" in raised) == ("root" in walls)
    assert bool(raised) == bool(walls)


def test_landlock_and_seccomp_stand_behind_whatever_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(confine, "works", lambda attempt: attempt is zygote._rehearse_seccomp)
    monkeypatch.setattr(confine, "landlock_abi", lambda: 4)
    monkeypatch.setattr(seccomp, "available", lambda: True)
    assert zygote._raise_walls() == [*EVERYWHERE, "landlock4", "seccomp"]


def test_a_system_without_walls_has_limits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert zygote._raise_walls() == ["rlimits", "session"]
