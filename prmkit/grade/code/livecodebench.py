"""The rules of LiveCodeBench: a script's output line by line, or the exact value of a function.

Different from the official runner: every script is a real process with a real standard input, where that one runs it
as a function with a patched ``sys.stdin`` (whose buffer reads its first line again and again); so a few right programs
that fail there pass here. Output rules, limits and the imports that are put before a program are the same.

Source: LiveCodeBench, lcb_runner/evaluation/testing_util.py (Jain et al. 2024, arXiv 2403.07974).
"""

import json
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal, InvalidOperation

from prmkit.errors import InputError
from prmkit.grade.code.verdicts import TestResult, Verdict
from prmkit.sandbox import isolate, values
from prmkit.sandbox.isolate import Limits, Outcome
from prmkit.sandbox.packages import needs_packages
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Case, Problem

SECONDS = 6.0
"""The limit of one test."""
_MEMORY_MB = 4096
_STARS = [
    "string",
    "re",
    "datetime",
    "collections",
    "heapq",
    "bisect",
    "copy",
    "math",
    "random",
    "statistics",
    "itertools",
    "functools",
    "operator",
    "io",
    "sys",
    "json",
    "builtins",
    "typing",
]
PRELUDE = "\n".join([f"from {name} import *" for name in _STARS] + [f"import {name}" for name in _STARS])
PRELUDE += "\nsys.setrecursionlimit(50000)\n"
"""What stands before every program."""


def judge(problem: Problem, program: str, *, policy: Policy = STRICT) -> Verdict:
    """The verdict on a program; it ends at the first test that fails.

    Raises:
        InputError: the problem has no tests, one has no output, or that of a function is not JSON.
    """
    if not problem.tests:
        raise InputError("the problem has no tests", where=problem.id)
    outcomes = outcomes_of(problem, program, problem.tests, policy=policy)
    results: list[TestResult] = []
    with closing(outcomes):
        for case, outcome in zip(problem.tests, outcomes, strict=True):
            reason = outcome.error or _fault(problem, case, outcome.value_json or "")
            results.append(TestResult(name=str(len(results)), reason=reason, seconds=outcome.seconds))
            if reason:
                return Verdict(status="timeout" if reason == "Timeout" else "fail", tests=tuple(results))
    return Verdict(status="pass", tests=tuple(results))


def outcomes_of(
    problem: Problem, program: str, cases: tuple[Case, ...], *, policy: Policy = STRICT
) -> Generator[Outcome, None, None]:
    """What a program does on the inputs of some tests: the text that a script writes, the value of a function."""
    whole = PRELUDE + program
    limits = Limits(memory_mb=_MEMORY_MB, packages=needs_packages(program), policy=policy)
    name = problem.entry_point
    if name is not None:
        entry = f"Solution().{name}" if "class Solution" in program else name
        limits = replace(limits, seconds=(SECONDS + 1) * len(cases) + 5)
        yield from isolate.iter_calls(whole, entry, [case.input for case in cases], limits, each=[SECONDS] * len(cases))
        return
    for case in cases:
        found = isolate.run_script(whole, case.input, replace(limits, seconds=SECONDS))
        yield Outcome(
            value_json=values.encode(found.text) if found.error is None else None,
            error=found.error,
            seconds=found.seconds,
        )


def _fault(problem: Problem, case: Case, returned: str) -> str:
    if case.output is None:
        raise InputError("a test has no output", where=problem.id, got=case.input)
    try:
        value = values.decode(returned)
    except (ValueError, RecursionError):
        return "BadReply"
    if problem.entry_point is None:
        return "" if same_output(value, case.output) else f"wrote {value[:100]!r}, not {case.output[:100]!r}"
    try:
        expected = json.loads(case.output)
    except ValueError:
        raise InputError("an expected output is not JSON", where=problem.id, got=case.output) from None
    if isinstance(value, tuple):
        value = list(value)
    return "" if value == expected else f"returned {returned[:100]}, not {case.output[:100]}"


def same_output(written: str, expected: str) -> bool:
    """Whether two outputs agree: as many lines, each the same text, or the same numbers exactly (1.0 is 1)."""
    one, other = (text.strip().split("\n") for text in (written, expected))
    return len(one) == len(other) and all(map(_same_line, one, other))


def _same_line(one: str, other: str) -> bool:
    one, other = one.strip(), other.strip()
    if one == other:
        return True
    try:
        return [Decimal(word) for word in one.split()] == [Decimal(word) for word in other.split()]
    except (InvalidOperation, ValueError):
        return False
