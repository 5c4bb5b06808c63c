"""Anybody's samples: JSON lines of a problem, responses and scores (docs/benchmarks.md has the form).

Each line holds ``responses`` (texts; ``response`` for one), and what they are judged by: ``correct`` (one verdict a
response), or a problem. ``problem`` is its text, with ``answer`` beside it; or a problem as in trees.jsonl; or it is
left out where ``id`` names one of the benchmark that the caller gives. ``scores`` (``score``): for each response one
number, or the list of its step scores. ``level``, ``subject`` and ``domain`` group the figures.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.judging import DEFAULT, Judging, groups_of, judgeable, judged_in_threads, nobody_watches
from prmkit.evaluate.samples import evaluate_samples
from prmkit.evaluate.selection import Samples
from prmkit.grade import isolation_of
from prmkit.rows_io import Fields, local_rows
from prmkit.score.aggregate import Aggregation, aggregate
from prmkit.tree import Problem
from prmkit.trees_io import from_record


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The responses to one problem: texts, a score for each or None, and given verdicts or None."""

    problem: Problem
    responses: tuple[str, ...]
    scores: tuple[float, ...] | None
    correct: tuple[bool, ...] | None
    where: str
    groups: Mapping[str, str] = field(default_factory=dict)


def read_responses(
    path: Path, *, problems: Sequence[Problem] = (), aggregation: Aggregation = "last"
) -> list[Answered]:
    """The lines of a file; lines of one problem are put together, in order.

    Args:
        path: a .jsonl, .jsonl.gz or .json file.
        problems: of the benchmark that the lines name by ``id``.
        aggregation: of step scores.

    Raises:
        InputError: with ``file:line``, a line lacks its responses or what they are judged by, counts differ, or some
            lines have scores and others have none.
    """
    known = {problem.id: problem for problem in problems}
    merged: dict[str, Answered] = {}
    for raw in local_rows(path):
        answered = _answered(raw.parse(), raw.where, known, aggregation)
        before = merged.get(answered.problem.id)
        merged[answered.problem.id] = answered if before is None else _together(before, answered)
    if not merged:
        raise InputError("the file holds no row", where=path, expected="one problem a line")
    if len({answered.scores is None for answered in merged.values()}) > 1:
        bare = next(answered for answered in merged.values() if answered.scores is None)
        raise InputError(
            "a row has no scores, and others have", where=bare.where, expected="scores for all or for none"
        )
    return list(merged.values())


def evaluate_responses(
    answered: Sequence[Answered], judging: Judging = DEFAULT, *, watch: Callable[[int], None] = nobody_watches
) -> dict[str, Any]:
    """The figures of evaluate_samples; ``unsupported`` and ``watch`` as in evaluate_trees.

    Raises:
        InputError: a problem has nothing to be judged by, or none can be judged here.
    """
    kept, unsupported = judgeable(answered, lambda one: one.problem if one.correct is None else None, judging)
    samples = judged_in_threads(lambda one: _samples(one, judging), kept, watch)
    result = evaluate_samples(samples, scored=kept[0].scores is not None)
    result |= isolation_of([one.problem for one in kept if one.correct is None])
    return result | ({"unsupported": unsupported} if unsupported else {})


def _samples(one: Answered, judging: Judging) -> Samples:
    if one.correct is not None and one.problem.answer is None and not one.problem.tests and not one.problem.check:
        # Verdicts alone: every response votes for itself but those that are right, which agree.
        numbers = range(1, len(one.correct) + 1)
        classes: list[int | None] = [0 if right else number for right, number in zip(one.correct, numbers, strict=True)]
        correct = list(one.correct)
    else:
        classes, correct = judging.judge(one.problem, one.responses)
    return Samples(
        problem_id=one.problem.id,
        scores=one.scores or (0.0,) * len(one.responses),
        classes=tuple(classes),
        correct=one.correct or tuple(correct),
        groups={**groups_of(one.problem), **one.groups},
    )


def _answered(row: Fields, where: str, known: Mapping[str, Problem], aggregation: Aggregation) -> Answered:
    given = row.get("responses", [row["response"]] if "response" in row else None)
    if not isinstance(given, list) or not given or not all(isinstance(text, str) for text in given):
        raise InputError("illegal responses", where=where, got=given, expected="a list of texts")
    correct = row.get("correct")
    if correct is not None and not (
        isinstance(correct, list) and all(isinstance(verdict, bool) for verdict in correct)
    ):
        raise InputError("illegal correct", where=where, got=correct, expected="true or false for each response")
    scores = row.get("scores", [row["score"]] if "score" in row else None)
    for name, column in (("scores", scores), ("correct", correct)):
        if column is not None and (not isinstance(column, list) or len(column) != len(given)):
            raise InputError(
                f"{name} and responses differ in number", where=where, got=column, expected=f"{len(given)}"
            )
    return Answered(
        problem=_problem(row, where, known, judged=correct is not None),
        responses=tuple(given),
        scores=None if scores is None else tuple(_score(score, where, aggregation) for score in scores),
        correct=None if correct is None else tuple(correct),
        where=where,
        groups={kind: str(row[kind]) for kind in ("level", "subject", "domain") if row.get(kind) is not None},
    )


def _problem(row: Fields, where: str, known: Mapping[str, Problem], *, judged: bool) -> Problem:
    given, name = row.get("problem", row.get("question")), row.get("id", row.get("task_id"))
    if isinstance(given, dict):
        try:
            return from_record({"schema": 1, "problem": given, "nodes": []}).problem
        except InputError as error:
            raise InputError(str(error), where=where) from None
    if name is not None and str(name) in known:
        return known[str(name)]
    if known:
        raise InputError("the benchmark has no such problem", where=where, got=name, expected="the id of a problem")
    answer = row.get("answer")
    if not isinstance(given, str) and name is None:
        raise InputError("the row names no problem", where=where, got=sorted(row), expected="problem or id")
    if answer is None and not judged:
        cure = "Give answer or correct in the row, or name the benchmark with --benchmark."
        raise InputError("nothing to judge the responses by", where=where, cure=cure)
    text = given if isinstance(given, str) else str(name)
    return Problem(
        id=str(name if name is not None else text), prompt=text, answer=None if answer is None else str(answer)
    )


def _score(score: Any, where: str, aggregation: Aggregation) -> float:
    steps = score if isinstance(score, list) else [score]
    if not steps or not all(
        isinstance(step, int | float) and not isinstance(step, bool) and math.isfinite(step) for step in steps
    ):
        raise InputError("illegal score", where=where, got=score, expected="a number, or a list of step scores")
    return aggregate([float(step) for step in steps], aggregation) if isinstance(score, list) else float(score)


def _together(one: Answered, other: Answered) -> Answered:
    if (one.scores is None) != (other.scores is None) or (one.correct is None) != (other.correct is None):
        raise InputError("two rows of one problem differ in their columns", where=other.where, got=one.where)
    return replace(
        one,
        responses=one.responses + other.responses,
        scores=None if one.scores is None or other.scores is None else one.scores + other.scores,
        correct=None if one.correct is None or other.correct is None else one.correct + other.correct,
    )
