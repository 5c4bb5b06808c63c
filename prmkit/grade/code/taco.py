"""The rules of TACO: those of APPS, but a script's output must be the expected text.

The official runner hands whole texts to comparisons that APPS made for lists of lines. So its numbers are single
characters, and a set of words is compared with sets of characters: which still says that outputs of one-digit numbers
are equal in any order and layout, and of other outputs nothing. Verdicts here are the same, these included.

Source: FlagOpen/TACO, metrics/testing_util.py (Li et al. 2023, arXiv 2312.14852).
"""

from prmkit.grade.code.apps import close_numbers, judge_by, lines_of, run, same_sets
from prmkit.grade.code.verdicts import Verdict
from prmkit.sandbox.policy import STRICT, Policy
from prmkit.tree import Problem

__all__ = ["judge", "run", "same_output"]


def judge(problem: Problem, program: str, *, policy: Policy = STRICT) -> Verdict:
    """The verdict on a program.

    Raises:
        InputError: the problem has no tests, one has no output, or that of a function is not JSON.
    """
    return judge_by(same_output, problem, program, policy)


def same_output(written: str, expected: str) -> bool:
    """Whether what a script wrote is the expected text, but for blanks around it and how lines end.

    Or else whether its characters are the numbers of the lines, or the characters of its words the words of the lines.
    """
    written = written.replace("\r\n", "\n").replace("\r", "\n")
    if written.strip() == expected.strip():
        return True
    wanted = lines_of(expected)
    return close_numbers(written, wanted) or same_sets(written.split(), wanted)
