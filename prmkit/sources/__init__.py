"""Labelled corpora by name: the source seam.

A source turns one row of a corpus into one tree: ``source(row, where, **options) -> StepTree | None``; None means that
the row is left out on purpose, and InputError that it is bad.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Protocol

from prmkit.errors import InputError
from prmkit.rows_io import Fields
from prmkit.seam import Seam
from prmkit.tree import Label, Problem, StepTree


class Unusable(InputError):
    """A row that is as the corpus has it, but of which no tree can be made.

    It is quarantined with its reason, as a bad one is, but no fault of the file: however many there are, the corpus is
    not refused for them.
    """


class Source(Protocol):
    """The reader of one corpus."""

    def __call__(self, row: Fields, where: str, **options: Any) -> StepTree | None:
        """The tree of a row; None leaves it out.

        Raises:
            InputError: the row is not what the corpus promises; Unusable where it is.
        """
        ...


SOURCES = Seam(
    "source",
    {
        "apps": "prmkit.sources.apps:tree_of",
        "code-contests": "prmkit.sources.code_contests:tree_of",
        "gsm8k": "prmkit.sources.gsm8k:tree_of",
        "math": "prmkit.sources.math:tree_of",
        "math-aps": "prmkit.sources.math_aps:tree_of",
        "math-shepherd": "prmkit.sources.math_shepherd:tree_of",
        "prm800k": "prmkit.sources.prm800k:tree_of",
        "prmbench": "prmkit.sources.prmbench:tree_of",
        "processbench": "prmkit.sources.processbench:tree_of",
        "rows": "prmkit.sources.rows:tree_of",
        "taco": "prmkit.sources.taco:tree_of",
        "trees": "prmkit.sources.trees:tree_of",
        "trl": "prmkit.sources.trl:tree_of",
    },
)


def problem_id(corpus: str, prompt: str) -> str:
    """An id that the same problem has in every row of a corpus, so that a split by problem keeps its rows together."""
    return f"{corpus}/{hashlib.blake2b(prompt.encode(), digest_size=8).hexdigest()}"


def gold_path(problem: Problem, steps: Iterable[str]) -> StepTree:
    """The path of a solution that people wrote as the right one; blank steps are passed over.

    Raises:
        InputError: every step is blank.
    """
    texts = [step.strip() for step in steps if step.strip()]
    if not texts:
        raise InputError("the solution has no step", where=problem.id)
    return StepTree.from_steps(problem, texts, [Label(value=1.0, source="human")] * len(texts))


def written_steps(row: Fields, where: str, key: str) -> list[str]:
    """The steps of a solution as its corpus has them, one or more.

    Raises:
        InputError: they are no texts.
        Unusable: one of them is blank; a tree has no such step, and its label would go to another.
    """
    steps: list[Any] = required(row, where, key, list)
    if not steps or not all(isinstance(step, str) for step in steps):
        raise InputError(f"illegal {key}", where=where, got=steps, expected="texts")
    for number, step in enumerate(steps, start=1):
        if not step.strip():
            raise Unusable(f"step {number} of {len(steps)} is empty", where=where)
    return steps


def required(row: Fields, where: str, key: str, kind: type) -> Any:
    """The value of a key.

    Raises:
        InputError: it is not there, or of another type.
    """
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, kind):
        raise InputError(f"illegal {key}", where=where, got=value, expected=kind.__name__)
    return value
