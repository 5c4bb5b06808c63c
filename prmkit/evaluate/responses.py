"""Anybody's samples: JSON lines of id, responses and scores (docs/benchmarks.md has the form).

Each line holds ``responses`` (texts; ``response`` for one; of a reasoning model the answer behind the thought counts),
and what they are judged by: ``correct`` (one verdict a
response), or a problem. ``problem`` is its text, with ``answer`` beside it; or a problem as in trees.jsonl; or it is
left out where ``id`` names one of the benchmark that the caller gives. ``scores`` (``score``): for each response one
number, or the list of its step scores. ``level``, ``subject`` and ``domain`` group the figures.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.solutions import Solution, Solutions, groups_of
from prmkit.rows_io import Fields, local_rows
from prmkit.thoughts import answer_of
from prmkit.tree import Problem
from prmkit.trees_io import from_record


def read_responses(path: Path, *, problems: Sequence[Problem] = ()) -> list[Solutions]:
    """The solutions of each problem of a file; lines of one problem are put together, in order.

    Args:
        path: a .jsonl, .jsonl.gz or .json file.
        problems: of the benchmark that the lines name by ``id``.

    Raises:
        InputError: with ``file:line``, a line lacks its responses or what they are judged by, counts differ, or some
            lines have scores and others have none.
    """
    known = {problem.id: problem for problem in problems}
    merged: dict[str, Solutions] = {}
    for raw in local_rows(path):
        given = _solutions(raw.parse(), raw.where, known)
        before = merged.get(given.problem.id)
        if before is not None and before.problem != given.problem:
            raise InputError(
                f"two problems have one id: another stands at {before.where}", where=raw.where, got=given.problem.id
            )
        merged[given.problem.id] = given if before is None else _together(before, given)
    if not merged:
        raise InputError("the file holds no row", where=path, expected="one problem a line")
    if len({_scored(each) for each in merged.values()}) > 1:
        bare = next(each for each in merged.values() if not _scored(each))
        raise InputError(
            "a row has no scores, and others have", where=bare.where, expected="scores for all or for none"
        )
    return list(merged.values())


def _scored(solutions: Solutions) -> bool:
    return all(each.has_score for each in solutions.solutions)


def _solutions(row: Fields, where: str, known: Mapping[str, Problem]) -> Solutions:
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
    problem = _problem(row, where, known, judged=correct is not None)
    groups = {kind: str(row[kind]) for kind in ("level", "subject", "domain") if row.get(kind) is not None}
    return Solutions(
        problem=problem,
        solutions=tuple(
            _solution(text, where, judged=correct is not None, score=None if scores is None else scores[number])
            for number, text in enumerate(given)
        ),
        verdicts=None if correct is None else tuple(correct),
        groups={**groups_of(problem), **groups},
        where=where,
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
    if known and name is not None:
        raise InputError("the benchmark has no such problem", where=where, got=name, expected="the id of a problem")
    if known:
        raise InputError("the row names no problem", where=where, got=sorted(row), expected="the id of one as id")
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


def _solution(text: str, where: str, *, judged: bool, score: Any) -> Solution:
    """A response without its thought. One whose thought never closed is unfinished, unless others judged it."""
    answer = answer_of(text)
    scored = {} if score is None else _score(score, where)
    if answer is None:
        return Solution(text=text, finished=judged, **scored)
    return Solution(text=answer, **scored)


def _score(score: Any, where: str) -> dict[str, Any]:
    """The score of a solution: one number, or those of its steps."""
    steps = score if isinstance(score, list) else [score]
    if not steps or not all(
        isinstance(step, int | float) and not isinstance(step, bool) and math.isfinite(step) for step in steps
    ):
        raise InputError("illegal score", where=where, got=score, expected="a number, or a list of step scores")
    return {"step_scores": tuple(map(float, steps))} if isinstance(score, list) else {"score": float(score)}


def _together(one: Solutions, other: Solutions) -> Solutions:
    if _scored(one) != _scored(other) or (one.verdicts is None) != (other.verdicts is None):
        raise InputError("two rows of one problem differ in their columns", where=other.where, got=one.where)
    return replace(
        one,
        solutions=one.solutions + other.solutions,
        verdicts=None if one.verdicts is None or other.verdicts is None else one.verdicts + other.verdicts,
    )
