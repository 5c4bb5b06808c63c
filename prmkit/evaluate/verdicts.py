"""The verdict of every solution, one a line: what was found in it, by which rule, and whether it is right."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from prmkit.evaluate.solutions import Solutions
from prmkit.grade.math.answers import normalise
from prmkit.trees_io import write_records


def verdict_records(judged: Iterable[Solutions]) -> Iterator[dict[str, Any]]:
    """One record a solution, in the order of the problems and of their solutions; docs/benchmarks.md has the form."""
    for each in judged:
        for index, solution in enumerate(each.solutions):
            record: dict[str, Any] = {
                "problem": each.problem.id,
                "solution": index,
                "found": None if solution.found is None else solution.found.text,
                "rule": None if solution.found is None else solution.found.rule,
                "class": solution.answer,
                "right": solution.right,
            }
            if each.tells_base:
                record["right_on_base"] = solution.right_on_base
            if not solution.finished:
                record["finished"] = False
            yield record


def explained_verdicts(judged: Iterable[Solutions]) -> Iterator[dict[str, Any]]:
    """The same with the gold answer of a math problem; of a wrong answer, ``compared`` has both as they were compared.

    That is their normalised text, where the grader begins; what it makes of them then is its own.
    """
    for each in judged:
        gold = each.problem.answer if each.problem.domain == "math" else None
        for record in verdict_records([each]):
            yield {
                **record,
                **({} if gold is None else {"gold": gold}),
                **({} if gold is None or record["found"] is None or record["right"] else _compared(record, gold)),
            }


def _compared(record: dict[str, Any], gold: str) -> dict[str, Any]:
    return {"compared": {"found": normalise(record["found"]), "gold": normalise(gold)}}


def write_verdicts(file: Path, judged: Iterable[Solutions]) -> None:
    """Write them to a file, in the place of what a killed run left there."""
    file.unlink(missing_ok=True)
    write_records(file, verdict_records(judged))
