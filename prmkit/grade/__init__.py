"""The one judge of a solution, shared by the vote and the grade.

A solution is the text of its steps joined by a newline. An answer is what is judged: the final answer of a math
solution, the program of a code solution.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol

from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.grade.found import Found
from prmkit.tree import Domain, Problem


class Grader(Protocol):
    """Judges solutions of one domain. All three functions keep the order and the number of what they are given."""

    def answers(self, problem: Problem, solutions: Sequence[str]) -> list[str | None]:
        """The answer of each solution; None where there is nothing to judge."""
        ...

    def classes(self, problem: Problem, answers: Sequence[str | None]) -> list[int | None]:
        """Equal integers for the same answer, numbered from 0 by first appearance; None never votes.

        Looks at nothing that a solver may not see: no gold answer, no hidden test.
        """
        ...

    def correct(self, problem: Problem, answers: Sequence[str | None]) -> list[bool]:
        """Whether each answer is right; None is not.

        Raises:
            InputError: the problem has nothing to judge by, or its gold answer does not parse.
        """
        ...

    def close(self) -> None:
        """End the worker processes; a later call starts them again."""
        ...


class Judge(Grader, Protocol):
    """A grader that also says what it found, and what it cannot judge, and judges by a part of the tests."""

    def found(self, problem: Problem, solutions: Sequence[str]) -> list[Found | None]:
        """The answer of each solution with the rule that found it; ``answers`` are the texts of the same."""
        ...

    def unsupported(self, problem: Problem) -> str:
        """Why this machine cannot judge answers to the problem; nothing if it can."""
        ...

    def timeouts(self, problem: Problem) -> int:
        """Pairs of answers to the problem whose comparison ran out of time so far, and that count as different."""
        ...

    def correct_on_base(self, problem: Problem, answers: Sequence[str | None]) -> list[bool] | None:
        """Whether each answer passes the base tests alone; None unless the problem tells them apart.

        HumanEval+ and MBPP+ do: their base tests are those of HumanEval and MBPP, and ``correct`` asks for all.
        """
        ...


def grader_for(domain: Domain, grading: GradingConfig = DEFAULT) -> Judge:
    """The judge of that domain: within a process, one for all equal configs.

    Args:
        domain: ``math`` or ``code``.
        grading: how it judges.
    """
    return _grader(domain, grading)


@cache  # here and not above: a config that is left out and the same one given must come to one judge
def _grader(domain: Domain, grading: GradingConfig) -> Judge:
    return _GRADERS[domain](grading)


def _math(grading: GradingConfig) -> Judge:
    from prmkit.grade.math.answers import MathGrader

    return MathGrader(relation=grading.grader)


def _code(grading: GradingConfig) -> Judge:
    from prmkit.grade.code.programs import CodeGrader

    return CodeGrader(policy=grading.policy, vote=grading.vote)


_GRADERS: dict[Domain, Callable[[GradingConfig], Judge]] = {"math": _math, "code": _code}


def isolation_of(problems: Sequence[Problem]) -> list[str]:
    """The walls around programs, for the record of a run on these problems; none if no program was run."""
    if all(problem.domain != "code" for problem in problems):
        return []
    from prmkit.sandbox import isolate

    return list(isolate.layers())
