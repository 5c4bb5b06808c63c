"""Hostile programs, each caught: 0 escapes, 0 passes, 0 hangs, the grader alive, nothing left behind.

Every exhibit is a whole program for the problem "return the answer, 42" whose ``f`` never returns 42 by itself. It
tries to pass, to get out, to stay, or to take the grader down.
"""

import os
import socket
import time
from pathlib import Path

import pytest

from prmkit.grade.code.programs import CodeGrader
from prmkit.sandbox import isolate
from prmkit.tree import Case, Problem
from tests.sandbox.walls import needs, programs_alive

EXHIBITS = dict(
    exhibit.split("\n", 1) for exhibit in Path(__file__).with_name("museum.txt").read_text().split("\n=== ")[1:]
)
POSED = Problem(
    id="museum",
    prompt="def f(x):",
    domain="code",
    entry_point="f",
    tests=(Case(input="[1]", output='"forty-two"', public=True), Case(input="[2]", output='"forty-three"')),
)
CHECKED = Problem(
    id="museum-asserts",
    prompt="def f(x):",
    domain="code",
    entry_point="f",
    rule="asserts",
    check="assert f(1) == 'forty-two'\nassert f(2) == 'forty-three'",
)
SECONDS = 1.5


@pytest.fixture(scope="module")
def canary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A secret file beside a place to write to."""
    folder = tmp_path_factory.mktemp("canary")
    (folder / "secret").write_text("the secret")
    (folder / "secret").chmod(0o644)
    folder.chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def server():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.01)
        yield listening


def filled(program: str, canary: Path, server: socket.socket) -> str:
    place = {"FOLDER": str(canary), "PORT": str(server.getsockname()[1]), "PARENT": str(os.getpid())}
    for name, value in place.items():
        program = program.replace(f"@{name}@", value)
    return program


def test_the_museum_is_large_enough() -> None:
    assert len(EXHIBITS) >= 40


@pytest.mark.parametrize(
    "name",
    # Forks take half a minute to be stopped, and one such program tells as much as two.
    [pytest.param(name, marks=pytest.mark.slow) if name == "bomb-fork-at-import" else name for name in EXHIBITS],
)
def test_an_exhibit_neither_passes_nor_escapes_nor_hangs(
    name: str, canary: Path, server: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("root", "pid", "net")
    monkeypatch.setattr("prmkit.grade.code.programs._SECONDS", SECONDS)
    program = filled(EXHIBITS[name], canary, server)
    start = time.monotonic()
    outcomes = isolate.run_calls(program, "f", ["[1]", "[2]"], seconds=SECONDS)
    assert time.monotonic() - start < 60  # no hang, on any machine
    # What it saw of the machine it may return, but it must not be a secret.
    assert not any("the secret" in (outcome.value_json or "") for outcome in outcomes)
    grader = CodeGrader()
    assert grader.correct(POSED, [program]) == [False]
    # Nothing was written, nobody was called, nobody is left.
    assert [path.name for path in canary.iterdir()] == ["secret"]
    with pytest.raises(TimeoutError):
        server.accept()
    assert not programs_alive()
    # The grader lives and grades.
    assert isolate.run_calls("def f(x): return x", "f", ["[5]"])[0].value_json == "5"


@pytest.mark.parametrize("name", [name for name in EXHIBITS if name.startswith(("forge", "patch", "exit"))])
def test_a_liar_does_not_pass_plain_assertions_either(name: str, canary: Path, server: socket.socket) -> None:
    assert CodeGrader().correct(CHECKED, [filled(EXHIBITS[name], canary, server)]) == [False]


UNITTEST = "import unittest\nclass TestCases(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(1), 42)\n"


@pytest.mark.parametrize(
    "program",
    [
        "import os\nos._exit(0)",
        "import sys\nsys.exit(0)",
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\ndef f(x): pass",
        "import unittest\nunittest.TestCase.run = lambda self, result=None: result\ndef f(x): pass",
        "import unittest\nunittest.TestLoader.loadTestsFromTestCase = lambda *a: unittest.TestSuite()\ndef f(x): pass",
        "import unittest, contextlib\n"
        "unittest.case._Outcome.testPartExecutor = lambda *a, **k: contextlib.nullcontext()",
        'import os\nfor i in range(3, 64):\n  try: os.write(i, b\'["test", "test_a", ""]\\n["done", ""]\\n\')\n'
        "  except OSError: pass\nos._exit(0)",
        "class Yes:\n    def __eq__(self, other): return False\ndef f(x): return Yes()",
        "import builtins\nbuiltins.isinstance = lambda *a: True\ndef f(x): return 41",
    ],
)
def test_a_program_does_not_pass_its_unittest_by_the_usual_tricks(program: str) -> None:
    found = isolate.run_unittest(f"{program}\n{UNITTEST}", isolate.Limits(packages=True, memory_mb=4096))
    passed = isinstance(found, dict) and found == {"test_a": ""}
    assert not passed
