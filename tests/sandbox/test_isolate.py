"""Hostile programs against the walls. Programs get 5 s on a loaded machine unless the time limit is what is tested."""

import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from prmkit.sandbox import isolate, processes
from prmkit.sandbox.isolate import Limits, Outcome, layers, run_calls
from tests.sandbox.walls import needs, programs_alive


def run(program: str, argument: str = "[1]", seconds: float = 5.0) -> Outcome:
    return run_calls(program, "f", [argument], seconds=seconds)[0]


@pytest.fixture(autouse=True)
def _isolation() -> None:
    if "net" not in layers() and not any(layer.startswith("landlock") for layer in layers()):
        pytest.skip("this machine offers neither namespaces nor Landlock")


def test_each_call_has_its_own_outcome_in_order() -> None:
    program = "def f(x, y=0):\n    return [x + y, 1 / x, 'é']"
    assert run_calls(program, "f", ["[2]", "[4, 1]", "[0]", '["a"]']) == [
        Outcome(value_json='[2, 0.5, "\\u00e9"]'),
        Outcome(value_json='[5, 0.25, "\\u00e9"]'),
        Outcome(error="ZeroDivisionError"),
        Outcome(error="TypeError"),
    ]


def test_errors_of_the_program_as_a_whole_are_those_of_every_call() -> None:
    assert run_calls("def f(x: return", "f", ["[1]", "[2]"]) == [Outcome(error="SyntaxError")] * 2
    assert run_calls("g = 1", "f", ["[1]"]) == [Outcome(error="KeyError")]
    assert run("def f(x): return {1, 2}") == Outcome(value_json='{"$set": [1, 2]}')  # a type that JSON lacks
    assert run("def f(x): return f").value_json == '{"$object": ["builtins.function", "<function f>"]}'


def test_an_infinite_loop_ends_at_the_limit_even_if_it_catches_everything() -> None:
    program = (
        "import signal\nfor s in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n"
        "def f(x):\n    while x:\n        try:\n            while True: pass\n        except BaseException: pass\n"
        "    return 1"
    )
    outcomes = run_calls(program, "f", ["[0]", "[1]", "[0]"], seconds=0.5)
    assert outcomes == [Outcome(value_json="1"), Outcome(error="Timeout"), Outcome(error="Timeout")]


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("import os\nos._exit(0)", "Exit"),
        ("import os\ndef f(x): os._exit(0)", "Exit"),
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("def f(x): raise SystemExit", "SystemExit"),
        ("import os, signal\ndef f(x): os.kill(os.getpid(), signal.SIGSEGV); os.abort()", "Killed"),
        ("print('passed')\nprint('[\"value\", \"2\"]')\ndef f(x): raise ValueError", "ValueError"),
        ("def f(x): return bytearray(1 << 33)", "MemoryError"),
        ("def f(x): return 'a' * (1 << 25)", "OutputTooLarge"),
        ("import os\ndef f(x):\n    for i in range(3, 64):\n        try: os.write(i, b'passed\\n')\n"
         "        except OSError: pass\n    return 2", "BadReply"),
    ],
)  # fmt: skip
def test_ending_early_or_lying_is_an_error(program: str, error: str) -> None:
    assert run(program) == Outcome(error=error)


def test_a_forged_reply_can_only_be_a_value() -> None:
    # The program writes its own reply before any call: it is taken for what f returned, and compared by the parent.
    program = (
        'import os\nfor i in range(3, 64):\n    try: os.write(i, b\'["value", "\\\\"all tests passed\\\\""]\\n\')\n'
        "    except OSError: pass\nos._exit(0)"
    )
    assert run(program) == Outcome(value_json='"all tests passed"')


def test_a_flood_of_output_is_cut_and_does_not_reach_this_process(capfd: pytest.CaptureFixture[str]) -> None:
    program = (
        "import sys, os\ndef f(x):\n"
        "    for _ in range(100): sys.stdout.write('a' * 100_000); os.write(2, b'b' * 100_000)\n"
        "    return sys.stdin.read()"
    )
    assert run(program) == Outcome(value_json='""')
    assert capfd.readouterr() == ("", "")


def test_a_flood_of_replies_is_cut_at_the_number_of_calls() -> None:
    program = (
        "import os\ndef f(x):\n    while True:\n        for i in range(3, 10):\n"
        '            try: os.write(i, b\'["value", "1"]\\n\')\n            except OSError: pass'
    )
    assert run_calls(program, "f", ["[1]", "[2]"], seconds=1.0) == [Outcome(value_json="1")] * 2


def test_a_fork_bomb_is_bounded_and_nothing_outlives_the_run() -> None:
    needs("uid")  # without a user of its own, only the clock bounds it
    program = (
        "import os, time\ndef f(x):\n    n = 0\n    while True:\n        try:\n            if os.fork() == 0:\n"
        "                os.setsid(); time.sleep(60)\n            n += 1\n        except OSError: return n"
    )
    outcome = run(program)
    assert outcome.value_json is not None
    assert 0 < int(outcome.value_json) <= 64
    assert not programs_alive()


def test_a_running_program_is_seen_where_the_test_above_looks() -> None:
    needs("uid")
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(run, "import time\ndef f(x): time.sleep(60)", "[1]", 1.0)
        seen = False
        while not running.done() and not seen:
            seen = bool(programs_alive())
    assert seen
    assert not programs_alive()


def test_the_network_is_out_of_reach() -> None:
    needs("net")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        tcp = f"import socket\ndef f(x): socket.create_connection(('127.0.0.1', {port}), timeout=2)"
        udp = f"import socket\ndef f(x): socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))"
        assert run(tcp).error in ("PermissionError", "OSError", "ConnectionRefusedError")
        assert run(udp).error == "OSError"


def test_files_outside_the_system_cannot_be_read_or_written(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("42")
    secret.chmod(0o644)
    refused = ("FileNotFoundError", "PermissionError", "OSError")
    assert run(f"def f(x): return open({str(secret)!r}).read()").error in refused
    assert run(f"import io\ndef f(x): io.open({str(tmp_path / 'new')!r}, 'w')").error in refused
    assert run(f"def f(x): return open({str(Path(isolate.__file__))!r}).read()").error in refused
    assert run("import os\ndef f(x): return open(os.__file__, 'a')").error in refused
    assert run("def f(x): return open('/proc/1/environ').read()").error in refused
    assert list(tmp_path.iterdir()) == [secret]


def test_the_folder_of_a_program_is_private_writable_and_empty() -> None:
    program = (
        "import os\ndef f(x):\n    before = os.listdir('.')\n    open('left', 'w').write('x')\n"
        "    return [before, os.listdir('.')]"
    )
    assert [run(program), run(program)] == [Outcome(value_json='[[], ["left"]]')] * 2


def test_the_temporary_folder_of_a_program_is_private_too() -> None:
    needs("root")
    program = "import os\ndef f(x):\n    open('/tmp/left', 'w').write('x')\n    return os.listdir('/tmp')"
    assert [run(program), run(program)] == [Outcome(value_json='["left"]')] * 2
    assert not Path("/tmp/left").exists()


def test_the_disk_cannot_be_filled() -> None:
    assert run("def f(x): open('a', 'wb').write(bytes(1 << 25))").error == "OSError"  # 32 MiB, 16 are allowed


def test_the_environment_and_descriptors_of_this_process_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "42")
    isolate.close()  # the next zygote starts with the variable set
    assert run("import os\ndef f(x): return 'SECRET_TOKEN' in os.environ").value_json == "false"
    program = (
        "import os\ndef f(x):\n    n = 0\n    for i in range(3, 256):\n        try: os.fstat(i); n += 1\n"
        "        except OSError: pass\n    return n"
    )
    assert run(program).value_json == "1"  # the reply pipe


def test_privileges_cannot_be_regained() -> None:
    needs("root", "pid")
    program = (
        "import ctypes\ndef f(x):\n    c = ctypes.CDLL(None)\n"
        "    return [c.unshare(0x20000), c.mount(b'tmpfs', b'/box', b'tmpfs', 0, 0), c.chroot(b'/box'), c.kill(-1, 0)]"
    )
    assert run(program).value_json == "[-1, -1, -1, -1]"


def test_runs_do_not_share_state_and_are_the_same_each_time() -> None:
    program = (
        "import random\nseen = []\ndef f(x):\n    seen.append(x)\n"
        "    return [len(seen), random.random(), list({'a', 'b', 'c'})]"
    )
    first = run_calls(program, "f", ["[1]", "[2]"])
    isolate.close()
    assert run_calls(program, "f", ["[1]", "[2]"]) == first


def test_many_threads_get_their_own_answers() -> None:
    with ThreadPoolExecutor(4) as threads:
        values = list(threads.map(lambda x: run("def f(x): return 2 * x", f"[{x}]").value_json, range(40)))
    assert values == [str(2 * x) for x in range(40)]


def test_a_killed_zygote_is_replaced() -> None:
    assert run("def f(x): return 1").value_json == "1"
    process = processes._ZYGOTES[False]._process
    assert process is not None
    process.kill()
    process.wait()
    assert run("def f(x): return 1").value_json == "1"


def test_a_caller_that_has_seen_enough_ends_the_program() -> None:
    needs("pid")
    calls = isolate.iter_calls("def f(x):\n    while x: pass\n    return x", "f", ["[0]", "[1]"], Limits(seconds=60))
    assert next(calls) == Outcome(value_json="0")
    calls.close()
    assert not programs_alive()


def test_a_call_has_a_limit_of_its_own() -> None:
    program = "import time\ndef f(x): time.sleep(x)"
    outcomes = list(isolate.iter_calls(program, "f", ["[0]", "[30]", "[0]"], Limits(seconds=60), each=[5.0, 0.3, 5.0]))
    assert outcomes == [Outcome(value_json="null"), Outcome(error="Timeout"), Outcome(error="Timeout")]


def test_a_script_reads_its_input_and_its_output_comes_back() -> None:
    double = "import sys\nfor line in sys.stdin:\n    print(2 * int(line))"
    assert isolate.run_script(double, "1\n2\n").text == "2\n4\n"
    whole = isolate.run_script("import sys\nsys.stdout.write(sys.stdin.buffer.read().decode())\nsys.exit(3)", "a\nb")
    assert (whole.text, whole.error) == ("a\nb", None)  # whatever the code it exits with
    assert isolate.run_script("print(1)\n1 / 0", "").error == "Error"
    assert isolate.run_script("while True: pass", "", Limits(seconds=0.5)).error == "Timeout"
    assert isolate.run_script("print('a' * (1 << 24))", "").error == "OutputTooLarge"
    assert (
        isolate.run_script("global x\nx = 1\ndef f():\n    return x\nprint(f(), __name__)", "").text == "1 __main__\n"
    )
    copy = "with open('in') as source, open('out', 'w') as target: target.write(source.read())"
    assert isolate.run_script(copy, "a\n", input_file="in", output_file="out").text == "a\n"
    assert isolate.run_script(copy, "a\n").error == "Error"


def test_tests_in_one_process_ask_a_program_in_another() -> None:
    tests = "assert f(x=2) == 4\nassert [f(x) for x in range(3)] == [0, 2, 4]\nassert f((1,)) == (1, 1)"
    assert isolate.run_judge(tests, "def f(x): return 2 * x", "f") == Outcome(value_json="null")
    assert isolate.run_judge(tests, "def f(x): return 4", "f") == Outcome(error="AssertionError")
    assert isolate.run_judge(tests, "def f(x): return 1 / 0", "f") == Outcome(error="RuntimeError")
    # The program holds no test: neither their code nor an expected value is in its process.
    look = (
        "import gc\ndef f(x): return any('assert f' in str(item) for item in gc.get_objects() if isinstance(item, str))"
    )
    assert isolate.run_judge("assert f(1) is False", look, "f") == Outcome(value_json="null")


def test_a_unittest_class_reports_every_test() -> None:
    program = (
        "import unittest\ndef f(x): return x\nclass TestCases(unittest.TestCase):\n"
        "    def test_a(self): self.assertEqual(f(1), 1)\n    def test_b(self): self.assertEqual(f(1), 2)\n"
        "    def test_c(self):\n        with self.subTest(): self.fail('no')\n"
    )
    found = isolate.run_unittest(program, Limits(packages=True, memory_mb=4096))
    assert found == {"test_a": "", "test_b": "AssertionError: 1 != 2", "test_c": "AssertionError: no"}


def test_a_program_is_a_module_that_its_own_classes_find() -> None:
    fields = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n"
    assert run(fields + "def f(x): return A(x).x").value_json == "1"
    named = "import pickle\nfrom typing import NamedTuple\nclass A(NamedTuple):\n    x: int\n"
    assert run(named + "def f(x): return pickle.loads(pickle.dumps(A(x))).x").value_json == "1"


def test_a_program_with_packages_can_start_another() -> None:
    program = (
        "import subprocess, sys\ndef f(x):\n"
        "    return subprocess.check_output([sys.executable, '-c', 'import numpy; print(numpy.arange(3).sum())'])"
    )
    assert run_calls(program, "f", ["[4]"], packages=True, seconds=60, memory_mb=4096) == [
        Outcome(value_json='{"$bytes": "330a"}')
    ]


def test_installed_packages_are_seen_only_when_asked_for() -> None:
    program = "def f(x):\n    import numpy\n    return numpy.arange(x).sum()"
    assert run(program, "[4]").error == "ModuleNotFoundError"
    assert run_calls(program, "f", ["[4]"], packages=True, seconds=20, memory_mb=4096) == [Outcome(value_json="6")]
