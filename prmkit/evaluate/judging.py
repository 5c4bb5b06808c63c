"""Solutions are judged: which of their answers agree, and which are right."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.resumable import Finished
from prmkit.evaluate.solutions import Solutions
from prmkit.grade import grader_for
from prmkit.grade.config import GradingConfig
from prmkit.grade.found import Found, texts
from prmkit.tree import Problem


def judge(solutions: Solutions, grading: GradingConfig) -> Solutions:
    """The solutions with answers and verdicts.

    Raises:
        InputError: the problem has nothing to judge by.
    """
    finished = solutions.finished
    if solutions.verdicts is not None and not can_judge(solutions.problem):
        # Verdicts alone: every solution votes for itself, but those that are right agree.
        numbers = range(1, len(finished) + 1)
        votes = [0 if right else number for right, number in zip(solutions.verdicts, numbers, strict=True)]
        return solutions.judged(votes, solutions.verdicts)
    grader = grader_for(solutions.problem.domain, grading)
    found = grader.found(solutions.problem, [each.text for each in finished])
    answers = texts(found)
    classes = grader.classes(solutions.problem, answers)
    if solutions.verdicts is not None:
        return solutions.judged(classes, solutions.verdicts, found=found)
    base = grader.correct_on_base(solutions.problem, answers)
    return solutions.judged(classes, grader.correct(solutions.problem, answers), base, found)


def refuse_unjudgeable(every: Iterable[Solutions]) -> None:
    """Raises InputError, before anything is judged, for a problem whose solutions have nothing to be judged by."""
    for each in every:
        if each.verdicts is None and not can_judge(each.problem):
            raise InputError(
                "the problem has nothing to judge its solutions by",
                where=each.where or each.problem.id,
                expected="a gold answer, or tests",
            )


def judgeable(every: Sequence[Solutions], grading: GradingConfig) -> tuple[list[Solutions], dict[str, str]]:
    """Those whose problem this machine can judge, and {problem id: why it cannot} of the others.

    Raises:
        InputError: there is nothing that can be judged here.
    """
    kept: list[Solutions] = []
    reasons: dict[str, str] = {}
    for each in every:
        problem = each.problem
        if each.verdicts is None and (reason := grader_for(problem.domain, grading).unsupported(problem)):
            reasons[problem.id] = reason
        else:
            kept.append(each)
    if not kept:
        first, reason = next(iter(reasons.items()))
        raise InputError("no problem can be judged on this machine", where=first, got=reason)
    return kept, reasons


def judge_all(
    every: Sequence[Solutions],
    grading: GradingConfig,
    *,
    watch: Callable[[int], None] = lambda done: None,
    finished: Finished | None = None,
    faults: dict[str, str] | None = None,
    timeouts: dict[str, int] | None = None,
) -> list[Solutions]:
    """All solutions with answers and verdicts, in their order, several problems at a time.

    Args:
        every: what to judge.
        grading: how.
        watch: told as each problem is judged.
        finished: where the verdicts are kept as they are found, and taken from.
        faults: takes {problem id: why} of the problems that prove to have nothing to judge by, such as a gold answer
            that does not parse; they are left out.
        timeouts: takes {problem id: pairs of answers whose comparison ran out of time}, where there are any.

    Raises:
        InputError: there is such a problem, and no ``faults``.
    """
    known = finished or Finished(None)
    late = {} if timeouts is None else timeouts

    def one(number: int) -> Solutions | InputError:
        verdicts = known.get(number)
        if verdicts is not None:
            late.update(verdicts.get("timeouts") or {})
            texts_and_rules = verdicts.get("found") or [None] * len(verdicts["right"])
            found = [None if each is None else Found(*each) for each in texts_and_rules]
            return every[number].judged(verdicts["answers"], verdicts["right"], verdicts.get("base"), found)
        try:
            judged = judge(every[number], grading)
        except InputError as error:
            return error
        done = judged.finished
        record: dict[str, Any] = {"answers": [each.answer for each in done], "right": [each.right for each in done]}
        if judged.tells_base:
            record["base"] = [each.right_on_base for each in done]
        record["found"] = [None if each.found is None else [each.found.text, each.found.rule] for each in done]
        problem = judged.problem
        if out_of_time := grader_for(problem.domain, grading).timeouts(problem):
            late[problem.id] = out_of_time
            record["timeouts"] = {problem.id: out_of_time}
        known.put(number, record)
        return judged

    judged = []
    with ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        try:
            for each, found in zip(every, threads.map(one, range(len(every))), strict=True):
                if isinstance(found, Solutions):
                    judged.append(found)
                elif faults is None:
                    raise found
                else:
                    faults[each.problem.id] = str(found).removeprefix(f"{each.problem.id}: ")
                watch(1)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
    return judged


def can_judge(problem: Problem) -> bool:
    """Whether the problem has a gold answer or tests."""
    return bool(problem.answer and problem.answer.strip()) or bool(problem.tests) or problem.check is not None
