"""How an evaluation judges solutions: whose equality of answers, which vote on programs."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from prmkit.errors import InputError
from prmkit.grade import Judge, Relation, grader_for
from prmkit.tree import Problem

T = TypeVar("T")
R = TypeVar("R")

Vote = Literal["behaviour", "text"]
"""Programs agree if they do the same on the public inputs, or (a baseline) if their normalised text is the same."""


class Judged(NamedTuple):
    """Class and verdict of each solution."""

    classes: list[int | None]
    correct: list[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """The judge of an evaluation.

    ``relation`` says which math answers are equal, ``vote`` which programs; ``unsafe_local`` runs programs even where
    the machine offers no isolation.
    """

    relation: Relation = "math-verify"
    vote: Vote = "behaviour"
    unsafe_local: bool = False

    def grader(self, problem: Problem) -> Judge:
        """The grader of the problem's domain."""
        return grader_for(problem.domain, unsafe_local=self.unsafe_local, relation=self.relation)

    def judge(self, problem: Problem, solutions: Sequence[str]) -> Judged:
        """Class and verdict of each solution. Raises InputError for a problem that cannot be judged."""
        grader = self.grader(problem)
        answers = grader.answers(problem, solutions)
        if problem.domain == "code" and self.vote == "text":
            from prmkit.grade.code.programs import text_classes

            classes = text_classes(answers)
        else:
            classes = grader.classes(problem, answers)
        return Judged(classes, grader.correct(problem, answers))


DEFAULT = Judging()


def nobody_watches(done: int = 1) -> None:
    """Told of each judged problem, where there is nobody to show it to."""


def judgeable(
    items: Sequence[T], unjudged: Callable[[T], Problem | None], judging: Judging
) -> tuple[list[T], dict[str, str]]:
    """Those whose problem this machine can judge, and {problem id: why it cannot} of the others.

    Args:
        items: what is to be judged.
        unjudged: the problem of an item, None where nobody has to judge it.
        judging: how solutions are judged.

    Raises:
        InputError: there is nothing that can be judged here.
    """
    kept: list[T] = []
    reasons: dict[str, str] = {}
    for item in items:
        problem = unjudged(item)
        if problem is not None and (reason := judging.grader(problem).unsupported(problem)):
            reasons[problem.id] = reason
        else:
            kept.append(item)
    if not kept:
        first, reason = next(iter(reasons.items()))
        raise InputError("no problem can be judged on this machine", where=first, got=reason)
    return kept, reasons


def judged_in_threads(judge: Callable[[T], R], problems: Sequence[T], watch: Callable[[int], None]) -> list[R]:
    """What ``judge`` gives for each problem, in their order; ``watch`` is told as each is done."""
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        return list(_told(threads.map(judge, problems), watch))


def _told(results: Iterator[R], watch: Callable[[int], None]) -> Iterator[R]:
    for result in results:
        watch(1)
        yield result


def groups_of(problem: Problem) -> dict[str, str]:
    """What figures of the problem are told apart by: its level, subject and domain, as far as they are known."""
    known = {"level": problem.level, "subject": problem.subject, "domain": problem.domain}
    return {kind: name for kind, name in known.items() if name}
