import json
import os
import signal
import socket
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError, RunError
from prmkit.sandbox import isolate, processes
from prmkit.sandbox.isolate import Outcome, run_calls
from prmkit.sandbox.policy import Policy
from prmkit.sandbox.processes import Limits, ProgramRun
from tests.sandbox.child import in_child

LIMITS = Limits(seconds=60.0, policy=Policy(unsafe_local=True))
"""The programs here are harmless, and run on any machine."""
LOOP = "def f(x):\n    while x: pass\n    return x"


def calls(program: str, *inputs: str) -> dict[str, Any]:
    return {"mode": "calls", "program": program, "entry_point": "f", "inputs": inputs}


def script(program: str) -> dict[str, Any]:
    return {"mode": "script", "program": program, "stdin": ""}


def test_replies_come_line_by_line_until_the_program_ends() -> None:
    with closing(ProgramRun(calls("def f(x): return x", "[1]", '["a"]'), LIMITS)) as run:
        assert run.line(None) == b'["value", "1"]'
        assert run.line(60.0) == b'["value", "\\"a\\""]'
        assert run.line(None) is None
        assert run.status() == "Exit0"


def test_the_rest_is_all_that_was_not_read_before() -> None:
    with closing(ProgramRun(script("print('a')\nprint('b')\nprint('c', end='')"), LIMITS)) as run:
        assert run.line(None) == b"a"
        assert run.rest(1000) == b"b\nc"


def test_reading_ends_with_the_block_that_reaches_its_cap() -> None:
    with closing(ProgramRun(script("while True: print('a' * 1000)"), LIMITS)) as run:
        assert 1 << 18 <= len(run.rest(1 << 18)) < (1 << 18) + (1 << 16)


@pytest.mark.parametrize(
    ("program", "status"),
    [
        ("pass", "Exit0"),
        ("import os\nos._exit(7)", "Exit7"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\nos.abort()", "Killed"),
    ],
)
def test_the_status_tells_how_a_program_ended(program: str, status: str) -> None:
    with closing(ProgramRun(script(program), LIMITS)) as run:
        run.rest(1000)
        assert run.status() == status
        assert run.status() == status  # and stays


def test_a_limit_of_seconds_ends_a_program() -> None:
    with closing(ProgramRun(calls(LOOP, "[0]", "[1]"), replace(LIMITS, seconds=0.5))) as run:
        assert run.line(None) == b'["value", "0"]'
        assert run.line(None) is None
        assert run.status() == "Timeout"


def test_a_limit_of_seconds_holds_where_it_is_seen_late() -> None:
    # Five times the limit, as of a parent that is busy: it is no other end.
    with closing(ProgramRun(calls(LOOP, "[1]"), replace(LIMITS, seconds=0.5))) as run:
        time.sleep(2.5)
        assert run.line(None) is None
        assert run.status() == "Timeout"


def test_the_wall_clock_ends_a_program_that_has_had_nothing_of_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_BACKSTOP", 0.01)
    with closing(ProgramRun(calls(LOOP, "[1]"), LIMITS)) as run:  # after 0.6 s
        assert run.line(None) is None
        assert run.status() == "Timeout"
        assert run.seconds() < 30


def test_a_line_may_have_a_limit_of_its_own() -> None:
    with closing(ProgramRun(calls(LOOP, "[1]"), LIMITS)) as run:
        assert run.line(0.2) is None
        assert run.status() == "Timeout"  # it is ended, long before its own limit


def test_a_program_is_fed_line_by_line() -> None:
    asked = {"mode": "answer", "program": "def f(x): return 2 * x", "entry_point": "f"}
    with closing(ProgramRun(asked, LIMITS, feed=True)) as run:
        for given in (1, 4):
            run.send(json.dumps(json.dumps([f"[{given}]", "{}"])).encode())
            assert run.line(None) == f'["value", "{2 * given}"]'.encode()


def test_a_program_that_does_not_read_is_late_and_one_that_has_ended_is_no_error() -> None:
    deaf = {"mode": "answer", "program": "while True: pass", "entry_point": "f"}
    with closing(ProgramRun(deaf, replace(LIMITS, seconds=0.5), feed=True)) as run:
        run.send(b"a" * (1 << 20))  # more than a pipe holds
        assert run.line(None) is None
        assert run.status() == "Timeout"
    gone = {"mode": "answer", "program": "import os\nos._exit(0)", "entry_point": "f"}
    with closing(ProgramRun(gone, LIMITS, feed=True)) as run:
        assert run.line(None) is None
        assert run.status() == "Exit0"
        run.send(b"a")
        assert run.line(None) is None


@pytest.mark.parametrize("walls", [("rlimits", "net"), ("rlimits", "landlock3"), ("rlimits", "net", "landlock3")])
def test_namespaces_or_landlock_are_isolation(walls: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "layers", lambda packages: walls)
    assert run_calls("def f(x): return x", "f", ["[1]"], seconds=60.0) == [Outcome(value_json="1")]


@pytest.mark.parametrize("walls", [("rlimits", "session"), ("rlimits", "session", "no_new_privs", "ipc", "seccomp")])
def test_a_machine_without_isolation_is_refused_unless_the_policy_allows_it(
    walls: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "layers", lambda packages: walls)
    with pytest.raises(InputError, match=r"no isolation.*rlimits, session.*--unsafe-local"):
        run_calls("def f(x): return x", "f", ["[1]"])
    assert run_calls("def f(x): return x", "f", ["[1]"], LIMITS) == [Outcome(value_json="1")]


def process_of(packages: bool) -> int:
    process = processes._ZYGOTES[packages]._process
    assert process is not None
    return process.pid


def test_programs_with_and_without_packages_come_from_two_interpreters() -> None:
    for packages in (False, True):
        assert processes.layers(packages=packages)[:2] == ("rlimits", "session")
    one, other = process_of(False), process_of(True)
    assert one != other
    processes.layers(packages=False)
    assert process_of(False) == one  # started once
    isolate.close()
    with pytest.raises(ProcessLookupError):
        os.kill(one, 0)
    processes.layers(packages=False)
    assert process_of(False) not in (one, other)


def test_an_interpreter_that_does_not_start_is_an_error_and_the_next_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zygote = processes._Zygote(packages=False)
    with monkeypatch.context() as patched:
        patched.setattr(processes, "_BOOT", "raise SystemExit")
        with pytest.raises(RunError, match="does not start"):
            zygote.layers()
    assert zygote.layers()[0] == "rlimits"
    zygote.close()


def test_a_supervisor_that_does_not_answer_is_an_error_and_its_zygote_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_GRACE", 0.2)
    processes.layers()
    zygote = process_of(False)
    run = ProgramRun(calls(LOOP, "[0]", "[1]"), LIMITS)
    assert run.line(None) == b'["value", "0"]'
    for supervisor in children_of(zygote):
        os.kill(supervisor, signal.SIGSTOP)  # it will not hear that the program is to end
    with pytest.raises(RunError, match="did not answer"):
        run.close()
    with pytest.raises(ProcessLookupError):
        os.kill(zygote, 0)
    assert run_calls("def f(x): return x", "f", ["[1]"], LIMITS) == [Outcome(value_json="1")]


def children_of(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def test_a_forked_process_has_interpreters_of_its_own() -> None:
    program = """
from prmkit.sandbox import processes
from prmkit.sandbox.isolate import run_calls
from prmkit.sandbox.policy import Policy
def doubled():
    found = run_calls("def f(x): return 2 * x", "f", ["[4]"], seconds=60.0, policy=Policy(unsafe_local=True))
    return [found[0].value_json, processes._ZYGOTES[False]._process.pid]
value, mine = doubled()
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, json.dumps(doubled()).encode())
    processes.close()
    os._exit(0)
theirs = json.loads(os.read(read, 99))
os.wait()
again = doubled()
print(json.dumps([value, theirs[0], theirs[1] != mine, again == [value, mine]]))
"""
    assert in_child(program) == ["8", "8", True, True]


def test_a_run_that_does_not_start_leaves_no_descriptor_open() -> None:
    program = """
from prmkit.errors import RunError
from prmkit.sandbox import processes
from prmkit.sandbox.policy import Policy
def fail(self, descriptors):
    raise RunError("no")
limits = processes.Limits(policy=Policy(unsafe_local=True))
processes.layers()
processes._Zygote.send = fail
before = os.listdir("/proc/self/fd")
for feed in (False, True):
    try:
        processes.ProgramRun({"mode": "answer"}, limits, feed=feed)
    except RunError:
        continue
print(json.dumps(len(os.listdir("/proc/self/fd")) - len(before)))
"""
    assert in_child(program) == 0


def test_reading_ends_at_a_mark_a_cap_a_deadline_or_the_end() -> None:
    ours, theirs = socket.socketpair()
    later = time.monotonic() + 60.0
    with ours, theirs:
        theirs.sendall(b"one\n")
        assert processes._read(ours.fileno(), later, 100, until=b"\n") == b"one\n"
        theirs.sendall(b"four")
        assert processes._read(ours.fileno(), later, 3) == b"fou"
        assert processes._read(ours.fileno(), 0.0, 100) == b""  # late before it began
        theirs.close()
        assert processes._read(ours.fileno(), later, 100) == b"r"
