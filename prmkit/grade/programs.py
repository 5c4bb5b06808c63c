"""The judge of code: the program of a solution, and what it does.

Verdicts are made here, in the parent: a program returns values and never sees an expected one (isolate.py).
"""

import ast
import json
import math
import os
import re
import textwrap
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prmkit.errors import InputError
from prmkit.grade import isolate
from prmkit.grade.isolate import Outcome
from prmkit.tree import Problem

_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.MULTILINE | re.DOTALL)
_SECONDS, _SECONDS_A_CALL, _SECONDS_AT_MOST = 4.0, 0.1, 60.0
_CACHED_RUNS = 100_000


def extract(problem: Problem, solution: str) -> str | None:
    """The program of a solution, or None for a blank one.

    The last fenced block that defines ``problem.entry_point``, else the last fenced block, else the whole text. Lines
    without ``def <entry_point>`` are the body of that function; its parameters stand in the prompt, else it takes x.

    Raises:
        InputError: the problem names no entry point.
    """
    name = problem.entry_point
    if name is None:
        raise InputError("the problem has no entry point", where=problem.id, expected="the name of a function")
    blocks = _FENCE.findall(solution) or [solution]
    code = next((block for block in reversed(blocks) if _defines(block, name)), blocks[-1])
    if not code.strip():
        return None
    if _defines(code, name):
        return str(code)
    return f"def {name}({_parameters(problem.prompt, name)}):\n" + textwrap.indent(textwrap.dedent(code), "    ")


def _defines(code: str, name: str) -> bool:
    return re.search(rf"^\s*(?:async\s+)?def\s+{re.escape(name)}\s*\(", code, re.MULTILINE) is not None


def _parameters(prompt: str, name: str) -> str:
    """The parameter list in the prompt, without annotations (their names need not be importable here)."""
    header = re.search(rf"def\s+{re.escape(name)}\s*\((.*?)\)\s*(?:->[^\n:]*)?:?\s*$", prompt, re.MULTILINE)
    try:
        parsed = ast.parse(f"def f({header.group(1)}): pass").body[0] if header else None
    except SyntaxError:
        parsed = None
    if not isinstance(parsed, ast.FunctionDef):
        return "x"
    for argument in ast.walk(parsed.args):
        if isinstance(argument, ast.arg):
            argument.annotation = None
    return ast.unparse(parsed.args)


def same_value(returned: Any, expected: Any) -> bool:
    """Whether two JSON values are the same: floats within 1e-6 (relative or absolute), all else as Python's ``==``."""
    if isinstance(returned, list) and isinstance(expected, list):
        return len(returned) == len(expected) and all(map(same_value, returned, expected))
    if isinstance(returned, dict) and isinstance(expected, dict):
        return returned.keys() == expected.keys() and all(same_value(returned[key], expected[key]) for key in returned)
    numbers = isinstance(returned, int | float) and isinstance(expected, int | float)
    if numbers and (isinstance(returned, float) or isinstance(expected, float)):
        try:
            return math.isclose(returned, expected, rel_tol=1e-6, abs_tol=1e-6)
        except OverflowError:
            return False
    return bool(returned == expected)


def _same_outcome(one: Outcome, other: Outcome) -> bool:
    if one.value_json is None or other.value_json is None:
        return one == other
    return one == other or _same_json(one.value_json, other.value_json)


def _same_json(returned: str, expected: str) -> bool:
    """As same_value, on text; what an untrusted program returned need not be JSON, and is then no value."""
    try:
        return same_value(json.loads(returned), json.loads(expected))
    except (ValueError, RecursionError):
        return False


class CodeGrader:
    """The judge of programs. Programs are the same if they do the same on every public input.

    Args:
        unsafe_local: see isolate.run_calls.
    """

    def __init__(self, *, unsafe_local: bool = False) -> None:
        self._unsafe_local = unsafe_local
        self._runs: dict[tuple[str, str, tuple[str, ...]], tuple[Outcome, ...]] = {}
        self._lock = threading.Lock()

    def answers(self, problem: Problem, solutions: Sequence[str]) -> list[str | None]:
        """The program of each solution (see extract)."""
        return [extract(problem, solution) for solution in solutions]

    def classes(self, problem: Problem, answers: Sequence[str | None]) -> list[int | None]:
        """Behaviour on the public inputs; an error type counts as an output.

        None for a program that fails on all of them, and for every program of a problem without public tests.
        """
        inputs = tuple(case.input for case in problem.tests if case.public)
        runs = self._run_all(problem, answers, inputs)
        representatives: list[tuple[Outcome, ...]] = []
        classes: list[int | None] = []
        for run in runs:
            if run is None or all(outcome.error is not None for outcome in run):
                classes.append(None)
                continue
            for index, representative in enumerate(representatives):
                if all(map(_same_outcome, representative, run)):
                    classes.append(index)
                    break
            else:
                representatives.append(run)
                classes.append(len(representatives) - 1)
        return classes

    def correct(self, problem: Problem, answers: Sequence[str | None]) -> list[bool]:
        """Whether each program passes every test. Hidden tests run only for programs that pass the public ones."""
        if not problem.tests:
            raise InputError("the problem has no tests", where=problem.id, cure="Grade problems that have some.")
        for case in problem.tests:
            _check_json(case.output, problem.id)
        passing = list(answers)
        for public in (True, False):
            cases = [case for case in problem.tests if case.public is public]
            runs = self._run_all(problem, passing, tuple(case.input for case in cases))
            for index, run in enumerate(runs):
                if run is None or not all(
                    outcome.value_json is not None and _same_json(outcome.value_json, case.output)
                    for outcome, case in zip(run, cases, strict=True)
                ):
                    passing[index] = None
        return [answer is not None for answer in passing]

    def close(self) -> None:
        """End the process that programs are forked from."""
        isolate.close()

    def _run_all(
        self, problem: Problem, programs: Sequence[str | None], inputs: tuple[str, ...]
    ) -> list[tuple[Outcome, ...] | None]:
        """The outcomes of each program on the inputs; every different program runs once, several side by side."""
        entry_point = problem.entry_point
        if entry_point is None:
            raise InputError("the problem has no entry point", where=problem.id, expected="the name of a function")
        given = list(dict.fromkeys(program for program in programs if program is not None))
        if not inputs:
            return [None if program is None else () for program in programs]
        with self._lock:
            known = {program: self._runs.get((program, entry_point, inputs)) for program in given}
        new = [program for program, outcomes in known.items() if outcomes is None]
        seconds = min(_SECONDS + _SECONDS_A_CALL * len(inputs), _SECONDS_AT_MOST)

        def run(program: str) -> tuple[Outcome, ...]:
            return tuple(
                isolate.run_calls(program, entry_point, inputs, seconds=seconds, unsafe_local=self._unsafe_local)
            )

        if new:
            with ThreadPoolExecutor(min(len(new), os.cpu_count() or 1)) as threads:
                known.update(zip(new, threads.map(run, new), strict=True))
            with self._lock:
                if len(self._runs) > _CACHED_RUNS:
                    self._runs.clear()
                self._runs.update({(program, entry_point, inputs): known[program] or () for program in new})
        return [None if program is None else known[program] for program in programs]


def _check_json(text: str, where: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        raise InputError("an expected output is not JSON", where=where, got=text) from None
