"""What a program's process answers, byte by byte; it is run here without walls."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prmkit.sandbox import harness
from tests.sandbox.child import ENVIRONMENT


def served(request: dict[str, Any], folder: Path, feed: bytes = b"") -> tuple[bytes, int]:
    """All that a request writes to its result, and the code that its process ends with."""
    read, write = os.pipe()
    program = (
        "import sys; from prmkit.sandbox.harness import json, run; run(json.loads(sys.argv[2]), int(sys.argv[1]), 0)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(write), json.dumps(request)],
        env=ENVIRONMENT,
        cwd=folder,
        stdin=subprocess.PIPE,
        pass_fds=[write],
    )
    os.close(write)
    assert process.stdin is not None  # PIPE above
    with process.stdin, open(read, "rb") as result:
        process.stdin.write(feed)
        process.stdin.close()
        written = result.read()
    return written, process.wait(120)


def replies(request: dict[str, Any], folder: Path, feed: bytes = b"") -> list[Any]:
    written, code = served(request, folder, feed)
    assert code == 0
    assert written.endswith(b"\n")
    return [json.loads(line) for line in written.splitlines()]


def calls(program: str, *inputs: str, entry_point: str = "f") -> dict[str, Any]:
    return {"mode": "calls", "program": program, "entry_point": entry_point, "inputs": inputs}


def test_every_call_has_one_reply(tmp_path: Path) -> None:
    program = "def f(x, y=0): return (x / y, y)"
    assert replies(calls(program, "[1, 2]", "[1]", "[]"), tmp_path) == [
        ["value", '{"$tuple": [0.5, 2]}'],
        ["error", "ZeroDivisionError"],
        ["error", "TypeError"],
    ]


@pytest.mark.parametrize(
    ("program", "error"),
    [
        ("def f(x: return", "SyntaxError"),
        ("1 / 0\ndef f(x): return x", "ZeroDivisionError"),
        ("import sys\nsys.exit(0)", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("def g(x): return x", "KeyError"),
    ],
)
def test_a_program_that_fails_as_a_whole_fails_every_call(program: str, error: str, tmp_path: Path) -> None:
    assert replies(calls(program, "[1]", "[2]"), tmp_path) == [["error", error]] * 2


def test_a_method_is_called_on_one_new_object(tmp_path: Path) -> None:
    program = (
        "made = 0\nclass Solution:\n    def __init__(self):\n"
        "        global made\n        made += 1\n        self.n = 0\n"
        "    def add(self, x):\n        self.n += x\n        return [self.n, made]"
    )
    asked = calls(program, "[2]", "[3]", entry_point="Solution().add")
    assert replies(asked, tmp_path) == [["value", "[2, 1]"], ["value", "[5, 1]"]]


def test_what_is_too_long_to_be_sent_is_cut(tmp_path: Path) -> None:
    size = harness._VALUE_CAP - 2  # the quotes are the rest
    asked = calls("def f(x): return 'a' * x", f"[{size}]", f"[{size + 1}]")
    (kind, text), error = replies(asked, tmp_path)
    assert (kind, len(text)) == ("value", 1 << 24)
    assert error == ["error", "OutputTooLarge"]
    named = "raise type('E' * 100, (Exception,), {})"
    assert replies(calls(named, "[1]"), tmp_path) == [["error", "E" * 80]]


def test_integers_of_any_length_are_written(tmp_path: Path) -> None:
    program = "def f(x): return [len(str(10 ** x)), 10 ** x]"
    assert replies(calls(program, "[5000]"), tmp_path) == [["value", json.dumps([5001, {"$int": hex(10**5000)}])]]


def test_chance_is_the_same_in_every_run(tmp_path: Path) -> None:
    drawn = replies(calls("import random\ndef f(): return random.random()", "[]", "[]"), tmp_path)
    lot = random.Random(0)
    assert drawn == [["value", json.dumps(lot.random())], ["value", json.dumps(lot.random())]]


def test_calls_that_come_one_by_one_may_name_their_arguments(tmp_path: Path) -> None:
    asked = {"mode": "answer", "program": "def f(x, y=1): return x - y", "entry_point": "f"}
    lines = [json.dumps(json.dumps([given, named])) for given, named in (("[5]", "{}"), ("[5]", '{"y": 2}'))]
    whole = "".join(line + "\n" for line in lines)
    assert replies(asked, tmp_path, whole.encode()) == [["value", "4"], ["value", "3"]]
    # A line that is not finished is no call.
    assert replies(asked, tmp_path, (whole + lines[0]).encode()) == [["value", "4"], ["value", "3"]]


def judged(tests: str, folder: Path, *answers: list[str]) -> list[Any]:
    feed = "".join(json.dumps(answer) + "\n" for answer in answers)
    return replies({"mode": "judge", "program": tests, "entry_point": "f"}, folder, feed.encode())


def test_tests_ask_for_each_call_and_get_its_value(tmp_path: Path) -> None:
    tests = "assert f(2, k=(1,)) == {3}\nassert f() is None"
    found = judged(tests, tmp_path, ["value", '{"$set": [3]}'], ["value", "null"])
    assert found == [
        ["call", json.dumps(["[2]", '{"k": {"$tuple": [1]}}'])],
        ["call", json.dumps(["[]", "{}"])],
        ["value", "null"],
    ]


@pytest.mark.parametrize(
    ("tests", "answer", "error"),
    [
        ("assert f(1) == 2", ["value", "3"], "AssertionError"),
        ("assert f(1) == 2", ["error", "ValueError"], "RuntimeError"),
        ("assert f(1) == 2", ["value", '{"$set": [[]]}'], "ValueError"),  # no value at all
    ],
)
def test_the_first_test_that_does_not_hold_ends_them(tests: str, answer: list[str], error: str, tmp_path: Path) -> None:
    found = judged(tests + "\nf(9)", tmp_path, answer, ["value", "2"])
    assert found == [["call", json.dumps(["[1]", "{}"])], ["error", error]]


@pytest.mark.parametrize(
    ("program", "written", "code"),
    [
        ("import sys\nprint(input(), sys.stdin.read())", b"a b\n\n", 0),
        ("import sys\nprint('a', end='')\nsys.exit(3)\nprint('b')", b"a", 0),  # whatever the code
        ("print('a')\n1 / 0", b"a\n", 1),
        ("print('a')\nraise MemoryError", b"a\n", 2),
        ("print('a'\n", b"", 1),
        ("import sys\nprint(__name__, sys.argv)", b"__main__ ['program.py']\n", 0),
        ("import os\nos.write(1, b'a')\nos._exit(7)", b"a", 7),
        ("import os\nprint(os.listdir())", b"[]\n", 0),  # its input is no file that it sees
        ("import __main__\nx = 1\nprint(__main__.x)", b"1\n", 0),
        ("print(len(str(10**5000)), int('1' * 5000) % 7)", b"5001 4\n", 0),
        # What an interpreter does at its end.
        ("from threading import Thread\nThread(target=lambda: print(input())).start()", b"a\n", 0),
        ("from concurrent.futures import *\nThreadPoolExecutor().submit(print, 'a')", b"a\n", 0),
        (
            "import threading as t, time\nprint('a')\nt.Thread(target=time.sleep, args=[99], daemon=True).start()",
            b"a\n",
            0,
        ),
        (
            "import atexit, io, sys\nsys.stdout = kept = io.StringIO()\nprint('a')\n"
            "atexit.register(lambda: sys.__stdout__.write(kept.getvalue()))",
            b"a\n",
            0,
        ),
        ("import sys\nsys.stdout = open(1, 'w')\nprint('a')", b"a\n", 0),
        ("print('a')\nexit()\nprint('b')", b"a\n", 0),
        ("print('a')\nquit(1)\nprint('b')", b"a\n", 0),
    ],
)
def test_a_script_writes_and_its_code_tells_how_it_ended(
    program: str, written: bytes, code: int, tmp_path: Path
) -> None:
    assert served({"mode": "script", "program": program, "stdin": "a\nb\n"}, tmp_path) == (written, code)


@pytest.mark.parametrize(
    ("program", "written"),
    [
        ("print(open('in').read(), open(0).read())", b"a\nb\n a\nb\n\n"),
        ("with open('out', 'w') as f: f.write(input())", b"a"),
        ("f = open('out', 'w')\nf.write(input())", b"a"),  # the end of the program closes it
        ("import sys\nsys.stdin, sys.stdout = open('in'), open('out', 'w')\nprint(input())", b"a\n"),
        ("import os\nos.mkdir('d')\nos.chdir('d')\nprint(1)\nopen('../out', 'w').write('2')", b"1\n2"),
        ("import os\nos.symlink('/no/such/file', 'out')\nprint(1)", b"1\n"),
        ("print(1)", b"1\n"),
    ],
)
def test_a_script_may_find_its_input_and_leave_its_output_in_files(
    program: str, written: bytes, tmp_path: Path
) -> None:
    request = {"mode": "script", "program": program, "stdin": "a\nb\n", "input_file": "in", "output_file": "out"}
    assert served(request, tmp_path) == (written, 0)


HEAD = "import unittest\ndef f(x): return x\nclass TestCases(unittest.TestCase):\n"


def reported(body: str, folder: Path, head: str = HEAD) -> list[Any]:
    return replies({"mode": "unittest", "program": head + body, "seal": "sealed"}, folder)


def test_every_test_of_a_class_is_reported_and_the_seal_comes_last(tmp_path: Path) -> None:
    body = (
        "    def test_a(self): self.assertEqual(f(1), 1)\n    def test_b(self): self.assertEqual(f(1), 2)\n"
        "    def test_c(self): f()\n    def helper(self): pass\n"
    )
    *tests, last = reported(body, tmp_path)
    assert [test[:2] for test in tests] == [["test", "test_a"], ["test", "test_b"], ["test", "test_c"]]
    reasons = [reason for _, _, reason in tests]
    assert reasons[:2] == ["", "AssertionError: 1 != 2"]
    assert reasons[2].startswith("TypeError: f() missing 1 required positional argument")
    assert last == ["done", "sealed"]


def test_a_class_that_cannot_be_set_up_fails_and_is_no_pass(tmp_path: Path) -> None:
    body = "    @classmethod\n    def setUpClass(cls): 1 / 0\n    def test_a(self): pass\n"
    (_, _, reason), last = reported(body, tmp_path)
    assert reason == "ZeroDivisionError: division by zero"
    assert last == ["done", "sealed"]


@pytest.mark.parametrize(
    ("head", "error"),
    [
        ("import unittest\nunittest.TestCase.assertEqual = lambda *a: None\n", "Tampered"),
        ("import unittest\nunittest.TestResult.addFailure = lambda *a: None\n", "Tampered"),
        ("import builtins\nbuiltins.len = lambda x: 1\n", "Tampered"),
        ("raise KeyError\n", "KeyError"),
        ("def f(x: return\n", "SyntaxError"),
    ],
)
def test_a_program_that_changes_what_tests_it_reports_nothing(head: str, error: str, tmp_path: Path) -> None:
    body = "import unittest\nclass TestCases(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 1)\n"
    assert reported(body, tmp_path, head) == [["error", error]]


def test_a_module_without_tests_is_an_error(tmp_path: Path) -> None:
    assert reported("", tmp_path, "x = 1") == [["error", "KeyError"]]


def test_lines_are_put_together_from_what_arrives() -> None:
    read, write = os.pipe()
    lines = harness._lines(read)
    try:
        for block, line in ((b"one\ntw", b"one"), (b"o\n", b"two"), (b"\n", b"")):
            os.write(write, block)
            assert next(lines) == line
        os.write(write, b"cut")
    finally:
        os.close(write)
    assert list(lines) == []
    os.close(read)
    assert list(harness._lines(None)) == []
