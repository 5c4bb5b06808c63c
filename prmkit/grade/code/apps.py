"""The rules of APPS: a function's value or the first element of the expected one, and a script's output loosely.

Kept from the official runner, so that verdicts agree: the limit of 4 s a test; the imports before a program; a class
``Solution`` goes before a function, whatever the problem asks for; the order of ever looser comparisons of outputs,
which in the end forget the order of lines and words. Different: see docs/benchmarks.md.

Source: hendrycks/apps, eval/testing_util.py (Hendrycks et al. 2021, arXiv 2105.09938).
"""

import ast
import math
import re
import textwrap
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

import numpy as np

from prmkit.grade.code.outcomes import Terms, outcomes_of, verdict_of
from prmkit.grade.code.source import parsed
from prmkit.grade.code.verdicts import Verdict
from prmkit.sandbox.isolate import Outcome
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Case, Problem

SECONDS = 4.0
"""The limit of one test."""

_MODULES = ("sys", "time", "itertools", "collections", "math", "fractions", "random", "heapq")
_NAMES = {
    "itertools": "accumulate, product, permutations, combinations",
    "collections": "Counter, OrderedDict, deque, defaultdict, ChainMap",
    "functools": "lru_cache",
    "math": "sqrt, sin, cos, tan, ceil, fabs, floor, gcd, exp, log, log2",
    "typing": "List, Tuple",
    "heapq": "*",
}
PRELUDE = "\n".join(
    [f"import {name}" for name in _MODULES]
    + [f"from {module} import {names}" for module, names in _NAMES.items()]
    + ["stdin, stdout = sys.stdin, sys.stdout"]
)
"""What stands before every program: what the corpus's own solutions take as imported."""
_NUMPY = re.compile(r"\bnp\b")


def judge(problem: Problem, program: str, *, policy: Policy = STRICT) -> Verdict:
    """The verdict on a program.

    Raises:
        InputError: the problem has no tests, one has no output, or that of a function is not JSON.
    """
    return judge_by(same_output, problem, program, policy)


def judge_by(same: Callable[[str, str], bool], problem: Problem, program: str, policy: Policy) -> Verdict:
    """The verdict on a program by another comparison of what scripts write.

    Raises:
        InputError: as ``judge``.
    """
    relation = same if problem.entry_point is None else same_value
    return verdict_of(problem, run(problem, program, problem.tests, policy=policy), relation)


def run(
    problem: Problem, program: str, cases: Sequence[Case], *, policy: Policy = STRICT
) -> Generator[Outcome, None, None]:
    """What a program does on the inputs of some tests."""
    program = program if problem.entry_point is not None else _returning(program)
    numpy = "\nimport numpy as np" if _NUMPY.search(program) else ""
    return outcomes_of(problem, program, cases, Terms(seconds=SECONDS, prelude=PRELUDE + numpy), policy=policy)


def _returning(script: str) -> str:
    """The script as the body of a function if it returns, which no module may: the official runner makes one of all."""
    if not _returns(script):
        return script
    return "def code():\n" + textwrap.indent(script, "\t", lambda line: True) + "\ncode()"


def _returns(script: str) -> bool:
    tree = parsed(script) if "return" in script else None
    left: list[ast.AST] = [*tree.body] if tree is not None else []
    while left:
        node = left.pop()
        if isinstance(node, ast.Return):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            left += ast.iter_child_nodes(node)
    return False


def same_value(returned: Any, expected: Any) -> bool:
    """Whether a function's value is the expected one, or its first element: most outputs are wrapped in a list.

    Exactly, as by ``==``. A tuple is taken for a list; tuples within it only where the first element is expected.
    """
    if isinstance(returned, tuple):
        returned = list(returned)
    if returned == expected:
        return True
    if not isinstance(expected, list) or not expected:
        return False
    return bool(returned == expected[0] or _with_lists(returned) == expected[0])


def _with_lists(returned: Any) -> Any:
    """A list whose elements may be tuples, with lists in their place."""
    if not isinstance(returned, list) or not returned or not isinstance(returned[0], tuple):
        return returned
    try:
        return [list(element) for element in returned]
    except TypeError:
        return returned


def same_output(written: str, expected: str) -> bool:
    """Whether what a script wrote is the expected text, by the first that holds:

    1. the texts are the same, but for blanks around them and around the lines that were written;
    2. the lines are, without empty ones, the expected ones also without blanks around them;
    3. each line is one number, and these are close (1e-5 relative, 1e-8 absolute);
    4. the lines are the same set of sets of words;
    5. or of numbers, rounded to three digits.
    """
    lines = written.splitlines()
    texts = ("\n".join(lines), "\n".join(map(str.strip, lines)))
    if expected.strip() in map(str.strip, texts):
        return True
    wanted, filled = lines_of(expected), [line for line in lines if line]
    if wanted in (lines, filled) or close_numbers(filled, wanted):
        return True
    return same_sets((words for line in filled if (words := line.split())), wanted)


def lines_of(expected: str) -> list[str]:
    """The lines of an expected output, without empty ones, each without the blanks around it."""
    return [line.strip() for line in expected.split("\n") if line]


def close_numbers(found: Sequence[str], expected: Sequence[str]) -> bool:
    """Whether as many texts are each a number, and close to those expected."""
    try:
        return len(found) == len(expected) and bool(
            np.allclose([_number(text) for text in found], [_number(text) for text in expected])
        )
    except ValueError:
        return False


def same_sets(found: Iterable[Sequence[str]], expected: Iterable[str]) -> bool:
    """Whether groups of words are those of the expected lines, whatever their order and how often each comes.

    Words are compared as they stand, and where all are numbers as these, rounded to three digits.
    """
    groups, wanted = set(map(frozenset, found)), {frozenset(line.split()) for line in expected}
    if groups == wanted:
        return True
    try:
        return _rounded(groups) == _rounded(wanted)
    except ValueError:
        return False


def _rounded(groups: Iterable[Iterable[str]]) -> set[frozenset[float]]:
    return {frozenset(round(_number(word), 3) for word in group) for group in groups}


def _number(text: str) -> float:
    """The float that a text spells.

    Raises:
        ValueError: it spells none, or one too large for a float: all of these would be equal.
    """
    value = float(text)
    if math.isinf(value) and "inf" not in text.lower():
        raise ValueError("too large for a float")
    return value
