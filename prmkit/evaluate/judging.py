"""How an evaluation judges solutions: all of a problem at once, problems side by side."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from prmkit.errors import InputError
from prmkit.grade import grader_for
from prmkit.grade.config import GradingConfig
from prmkit.tree import Problem

T = TypeVar("T")
R = TypeVar("R")


class Judged(NamedTuple):
    """Class and verdict of each solution."""

    classes: list[int | None]
    correct: list[bool]


def judge(problem: Problem, solutions: Sequence[str], grading: GradingConfig) -> Judged:
    """Class and verdict of each solution. Raises InputError for a problem that cannot be judged."""
    grader = grader_for(problem.domain, grading)
    answers = grader.answers(problem, solutions)
    return Judged(grader.classes(problem, answers), grader.correct(problem, answers))


def nobody_watches(done: int = 1) -> None:
    """Told of each judged problem, where there is nobody to show it to."""


def judgeable(
    items: Sequence[T], unjudged: Callable[[T], Problem | None], grading: GradingConfig
) -> tuple[list[T], dict[str, str]]:
    """Those whose problem this machine can judge, and {problem id: why it cannot} of the others.

    Args:
        items: what is to be judged.
        unjudged: the problem of an item, None where nobody has to judge it.
        grading: how solutions are judged.

    Raises:
        InputError: there is nothing that can be judged here.
    """
    kept: list[T] = []
    reasons: dict[str, str] = {}
    for item in items:
        problem = unjudged(item)
        if problem is not None and (reason := grader_for(problem.domain, grading).unsupported(problem)):
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
