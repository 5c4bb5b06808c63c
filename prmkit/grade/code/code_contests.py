"""The rules of CodeContests: a script's output word by word, numbers within 1e-5.

Kept from the official runner, so that verdicts agree: its default limit of 10 s; upper and lower case are the same;
blanks only part words; a program that has written the right output is right, however it ended. Different: see
docs/benchmarks.md.

Source: google-deepmind/code_contests, execution/tester_sandboxer.cc (Li et al. 2022, arXiv 2203.07814).
"""

import re
import string
from collections.abc import Generator, Sequence

from prmkit.grade.code.outcomes import Terms, outcomes_of, verdict_of
from prmkit.grade.code.verdicts import Verdict
from prmkit.sandbox.isolate import Outcome
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Case, Problem

_TERMS = Terms(seconds=10.0, crash_fails=False)
_CLOSE = 1e-5
_BLANKS = re.compile("[ \n\t\r\v]+")
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def judge(problem: Problem, program: str, *, policy: Policy = STRICT) -> Verdict:
    """The verdict on a program.

    Raises:
        InputError: the problem has no tests, or one has no output.
    """
    return verdict_of(problem, run(problem, program, problem.tests, policy=policy), same_output)


def run(
    problem: Problem, program: str, cases: Sequence[Case], *, policy: Policy = STRICT
) -> Generator[Outcome, None, None]:
    """What a program does on the inputs of some tests."""
    return outcomes_of(problem, program, cases, _TERMS, policy=policy)


def same_output(written: str, expected: str) -> bool:
    """Whether two outputs are the same words in the same order, in any case and layout; or as many, where each pair is
    the same or two numbers that differ by less than 1e-5.
    """
    one, other = _words(written), _words(expected)
    return one == other or (len(one) == len(other) and all(map(_same_word, one, other)))


def _words(text: str) -> list[str]:
    return [word for word in _BLANKS.split(text.translate(_LOWER)) if word]


def _same_word(one: str, other: str) -> bool:
    found, expected = _number(one), _number(other)
    if found is None or expected is None:
        return one == other
    return abs(found - expected) < _CLOSE  # never of infinities, which have no difference


def _number(word: str) -> float | None:
    if "_" in word or not word.isascii():  # what Python reads as a number beyond what the official runner does
        return None
    try:
        return float(word)
    except ValueError:
        return None
