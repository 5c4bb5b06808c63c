"""The one judge of a solution, shared by the vote and the grade.

A solution is the text of its steps joined by a newline. An answer is what is judged: the final answer of a math
solution, the program of a code solution.
"""

import importlib
from collections.abc import Sequence
from functools import cache
from typing import Literal, Protocol, cast

from prmkit.tree import Domain, Problem

Relation = Literal["math-verify", "prm800k", "qwen"]
"""Who says which math answers are equal: math-verify, or the grader of PRM800K or of Qwen2.5-Math."""


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
    """A grader that also says what it cannot judge."""

    def unsupported(self, problem: Problem) -> str:
        """Why this machine cannot judge answers to the problem; nothing if it can."""
        ...


_GRADERS: dict[Domain, str] = {
    "math": "prmkit.grade.math.answers:MathGrader",
    "code": "prmkit.grade.code.programs:CodeGrader",
}


@cache
def grader_for(domain: Domain, *, unsafe_local: bool = False, relation: Relation = "math-verify") -> Judge:
    """The judge of that domain, one a process.

    Args:
        domain: ``math`` or ``code``.
        unsafe_local: run programs even where the machine offers no isolation for them (see isolate.py).
        relation: whose equality of math answers (see answers.py).
    """
    module, _, name = _GRADERS[domain].partition(":")
    options = {"relation": relation} if domain == "math" else {}
    return cast(Judge, getattr(importlib.import_module(module), name)(unsafe_local=unsafe_local, **options))


def isolation_of(problems: Sequence[Problem]) -> dict[str, list[str]]:
    """``isolation``: the walls around programs, for the record of a run on these problems; nothing if none was run."""
    if all(problem.domain != "code" for problem in problems):
        return {}
    from prmkit.sandbox import isolate

    return {"isolation": list(isolate.layers())}
