"""Anybody's samples: rows of id, responses and scores (docs/benchmarks.md has the form; forms.py those of other tools).

Each row holds ``responses`` (texts; ``response`` for one; of a reasoning model the answer behind the thought counts),
and what they are judged by: ``correct`` (one verdict a response), or a problem. ``problem`` is its text, with
``answer`` beside it; or a problem as in trees.jsonl; or it is left out where ``id`` names one of the benchmark that the
caller gives. ``scores`` (``score``): for each response one number, or the list of its step scores. ``level``,
``subject`` and ``domain`` group the figures.
"""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prmkit.columns import gold_of, id_of, level_of, problem_text, subject_of
from prmkit.errors import InputError
from prmkit.evaluate.forms import Given, given_in, sample_rows
from prmkit.evaluate.intake import Intake
from prmkit.evaluate.judging import can_judge
from prmkit.evaluate.named import Named
from prmkit.evaluate.solutions import Solution, Solutions, groups_of
from prmkit.grade.math.extraction import extract
from prmkit.rows_io import Fields, plain
from prmkit.run.activity import busy
from prmkit.sources import problem_id
from prmkit.thoughts import answer_of
from prmkit.tree import Problem
from prmkit.trees_io import from_record

_LONGEST_ANSWER = 200
_OF_PROGRAMS = ("entry_point", "test_list", "canonical_solution", "starter_code", "public_test_cases")
"""Columns of problems that ask for a program, which a gold answer does not judge."""


def read_responses(path: Path, *, problems: Sequence[Problem] = ()) -> Intake:
    """The solutions of each problem of a file; rows of one problem are put together, in order.

    A bad row is set aside with its place and its fault, and the others go on. Two problems of one id are two problems,
    and the second gets a new id.

    Args:
        path: a file of rows, or a folder of such files or of programs.
        problems: of the benchmark that the rows name by ``id``.

    Raises:
        InputError: there is no row, or no good one: with ``file:line``, the first one's fault.
    """
    known, found = Named(problems), Intake()
    with busy("reading the samples") as activity:
        for raw in sample_rows(path):
            found.read += 1
            activity.figures["rows"] = f"{found.read:,}"
            try:
                given = given_in(raw.parse(), raw.where)
                found.add(_solutions(given, raw.where, known), given.again)
            except InputError as error:
                found.set_aside(raw.where, error, raw.text())
            except RecursionError:
                found.set_aside(raw.where, InputError("the row is nested too deeply", where=raw.where), raw.text())
        found.settle()
    answered = {each.problem for each in found.solutions}
    if missing := [problem.id for problem in problems if problem not in answered]:
        count = f"{len(missing)} of the benchmark's {len(problems)} problems"
        found.notes.insert(0, f"{count} have no samples and are in no figure, first {missing[0]!r}")
    if not found.read:
        raise InputError("the file holds no row", where=path, expected="one problem a line")
    if not found.solutions:
        others = f" (none of {found.read} rows is good)" if found.read > 1 else ""
        raise InputError(found.bad[0]["error"] + others)
    return found


def _solutions(given: Given, where: str, known: Named) -> Solutions:
    row, texts = given.row, given.responses
    correct = _verdicts(row.get("correct"), where, len(texts), "correct")
    scores = _scores(row, where, len(texts))
    problem = _problem(row, where, known, judged=correct is not None)
    if correct is None and not can_judge(problem):
        correct = _verdicts(given.verdicts, where, len(texts), "verdicts")
    if correct is None and not can_judge(problem):
        cure = "Give answer or correct in the row, or name the benchmark with --benchmark."
        raise InputError("nothing to judge the responses by", where=where, got=given.columns, cure=cure)
    if given.extracted and problem.domain == "math":
        texts = [_answer(text) for text in texts]
    return Solutions(
        problem=problem,
        solutions=tuple(
            _solution(text, where, judged=correct is not None, score=None if scores is None else scores[number])
            for number, text in enumerate(texts)
        ),
        verdicts=correct,
        groups=_groups(row, problem),
        where=where,
    )


def _groups(row: Fields, problem: Problem) -> dict[str, str]:
    """What the problem belongs to: by our columns of the row, by a benchmark, or by other columns of the row."""
    named = {"level": level_of(row), "subject": subject_of(row), "domain": plain(row.get("domain"))}
    found = {kind: name for kind, name in named.items() if name is not None}
    return {**found, **groups_of(problem), **{kind: name for kind, name in found.items() if row.get(kind) is not None}}


def _verdicts(given: Any, where: str, count: int, column: str) -> tuple[bool, ...] | None:
    """One verdict a response: true and false, or 1 and 0; None where there are none."""
    if given is None:
        return None
    verdicts = _counted(given if isinstance(given, list) else [given], where, count, column)
    if not all(isinstance(verdict, bool | int | float) and verdict in (0, 1) for verdict in verdicts):
        raise InputError(f"illegal {column}", where=where, got=given, expected="true or false for each response")
    return tuple(map(bool, verdicts))


def _scores(row: Fields, where: str, count: int) -> list[Any] | None:
    given = row.get("scores", [row["score"]] if row.get("score") is not None else None)
    if given is None or (isinstance(given, list) and given and all(score is None for score in given)):
        return None
    scores = _counted(given, where, count, "scores")
    if None in scores:
        raise InputError("a response has no score, and others have", where=where, got=scores)
    return scores


def _counted(given: Any, where: str, count: int, column: str) -> list[Any]:
    """The list of a column, one value a response."""
    if not isinstance(given, list) or len(given) != count:
        raise InputError(f"{column} and responses differ in number", where=where, got=given, expected=str(count))
    return given


def _problem(row: Fields, where: str, known: Named, *, judged: bool) -> Problem:
    given = row.get("problem", row.get("question"))
    if isinstance(given, dict):
        try:
            return from_record({"schema": 1, "problem": given, "nodes": []}).problem
        except InputError as error:
            raise InputError(str(error), where=where) from None
    if isinstance(given, list) and problem_text(row) is None:
        raise InputError("illegal problem", where=where, got=given, expected="one text, or a chat")
    if known:
        return known.find(row, where)
    name, text, answer = id_of(row), problem_text(row), gold_of(row, where)
    program = next((column for column in _OF_PROGRAMS if row.get(column)), None)
    if answer is not None and program is not None and not judged:
        cure = "Name the benchmark with --benchmark."
        raise InputError("a program is judged by tests", where=where, got=program, cure=cure)
    if name is None:
        name = where if text is None else problem_id("problem", text)
    return Problem(id=name, prompt=name if text is None else text, answer=answer)


def _answer(text: str) -> str:
    r"""A bare answer as a solution that declares it; any other text as it is."""
    bare = "\n" not in text.strip() and len(text) <= _LONGEST_ANSWER and extract(text) is None
    return rf"\boxed{{{text.strip()}}}" if bare and text.strip() else text


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
    if not steps or not all(map(_is_number, steps)):
        raise InputError("illegal score", where=where, got=score, expected="a number, or a list of step scores")
    return {"step_scores": tuple(map(float, steps))} if isinstance(score, list) else {"score": float(score)}


def _is_number(value: Any) -> bool:
    """Whether it is a number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) if isinstance(value, float) else abs(value) <= sys.float_info.max
