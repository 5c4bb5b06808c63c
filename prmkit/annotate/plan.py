"""What an annotation will cost, from a pilot on a few of its problems."""

import random
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

from prmkit.annotate.annotation import Annotation, annotate
from prmkit.errors import InputError
from prmkit.tree import StepTree
from prmkit.trees_io import write_trees


class AnnotationPlan(NamedTuple):
    """What the whole run is expected to take: the pilot's figures times the problems there are for each of its own.

    ``hours`` are of this machine's engine, GPU or not. A pilot fills its batches less well than the run, so that they
    are an upper bound; they leave out what it took to load the models.
    """

    problems: int
    rollouts: int
    tokens: int
    hours: float


def plan(trees: Iterable[StepTree], annotation: Annotation, pilot: int) -> AnnotationPlan:
    """Annotate ``pilot`` problems, drawn at random, in a folder that is thrown away.

    Raises:
        InputError: there is no problem.
    """
    drawn, total = _drawn(trees, pilot, annotation.seed)
    if not drawn:
        raise InputError("no problem to annotate", expected="at least one")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_trees(folder / "problems.jsonl", drawn)
        found = annotate(folder / "problems.jsonl", annotation, folder, watch=lambda what, count: nullcontext(_nothing))
    ledger, scale = found.ledger, total / len(drawn)
    return AnnotationPlan(
        problems=total,
        rollouts=round(scale * ledger.continuations),
        tokens=round(scale * (ledger.prefill_tokens + ledger.decode_tokens)),
        hours=scale * found.seconds / 3600,
    )


def _drawn(trees: Iterable[StepTree], n: int, seed: int) -> tuple[list[StepTree], int]:
    """``n`` of the trees, each with the same chance, and how many there are (reservoir sampling)."""
    rng, total = random.Random(seed), 0
    drawn: list[StepTree] = []
    for tree in trees:
        total += 1
        if len(drawn) < n:
            drawn.append(tree)
        elif (place := rng.randrange(total)) < n:
            drawn[place] = tree
    return drawn, total


def _nothing(count: int, figures: Mapping[str, str]) -> None:
    """What a pilot shows of its progress."""
