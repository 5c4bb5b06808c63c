"""The rules of LiveCodeBench: a script's output line by line, or the exact value of a function.

Different from the official runner: every script is a real process with a real standard input, where that one runs it
as a function with a patched ``sys.stdin`` (whose buffer reads its first line again and again); so a few right programs
that fail there pass here. Output rules, limits and the imports that are put before a program are the same.

Source: LiveCodeBench, lcb_runner/evaluation/testing_util.py (Jain et al. 2024, arXiv 2403.07974).
"""

from collections.abc import Generator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from prmkit.grade.code.outcomes import Terms, outcomes_of, verdict_of
from prmkit.grade.code.verdicts import Verdict
from prmkit.sandbox.isolate import Outcome
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Case, Problem

SECONDS = 6.0
"""The limit of one test."""
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
PRELUDE += "\nsys.setrecursionlimit(50000)"
"""What stands before every program."""


def judge(problem: Problem, program: str, *, policy: Policy = STRICT) -> Verdict:
    """The verdict on a program; it ends at the first test that fails.

    Raises:
        InputError: the problem has no tests, one has no output, or that of a function is not JSON.
    """
    relation = same_output if problem.entry_point is None else _same_value
    return verdict_of(problem, run(problem, program, problem.tests, policy=policy), relation)


def run(
    problem: Problem, program: str, cases: Sequence[Case], *, policy: Policy = STRICT
) -> Generator[Outcome, None, None]:
    """What a program does on the inputs of some tests: the text that a script writes, the value of a function."""
    return outcomes_of(problem, program, cases, Terms(seconds=SECONDS, prelude=PRELUDE), policy=policy)


def _same_value(returned: Any, expected: Any) -> bool:
    return bool((list(returned) if isinstance(returned, tuple) else returned) == expected)


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
