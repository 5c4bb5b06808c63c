"""A part of a corpus: sampled or split by problem, or mixed from several corpora. The trees are never all in memory."""

import itertools
import random
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from prmkit.errors import InputError
from prmkit.run.seeds import lot
from prmkit.sources.seen import digest
from prmkit.tree import StepTree

Trees = Callable[[], Iterable[StepTree]]
"""Reads the same trees from the beginning each time it is called."""

Unit = Literal["trees", "solutions", "labels"]
"""What a size counts: trees (rows of most corpora), root-to-leaf solutions, or labelled steps."""


class SampleConfig(BaseModel):
    """How much of the trees is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: PositiveInt = Field(400_000, description="how many units are kept; all of them, if there are fewer")
    unit: Unit = Field("labels", description="what is counted: trees, solutions, or labels")


def wording(prompt: str) -> str:
    """What makes two problems one, since sources number the same one differently: the words and signs of their texts,
    whatever the spaces between them.
    """
    return " ".join(prompt.split())


def size_of(tree: StepTree, unit: Unit) -> int:
    """How much a tree counts."""
    if unit == "trees":
        return 1
    return len(tree.leaves()) if unit == "solutions" else sum(node.label is not None for node in tree)


def sample(trees: Trees, config: SampleConfig, seed: int) -> Iterator[StepTree]:
    """Whole problems, drawn at random until ``size`` is reached, in the order of the corpus.

    The last problem drawn gives only as many trees as fit. Which problems are drawn depends on their wording and the
    seed alone, so that a larger sample holds a smaller one's problems. The trees are read twice.

    Raises:
        InputError: the second reading gives more or fewer trees than the first.
    """
    there = _Survey(trees(), config.unit)
    yield from _picked(trees(), there.drawn(config.size, seed))


def held_out(tree: StepTree, share: float, seed: int) -> bool:
    """Whether a tree's problem is on the validation side: about ``share`` of all, fixed by wording and seed."""
    return lot(_key(tree), f"{seed}:validation") < share * 2**64


def mix(parts: Sequence[tuple[Trees, float]], config: SampleConfig, seed: int) -> Iterator[StepTree]:
    """Samples of several corpora in proportion to their weights, ``size`` in all, in a random order of corpora.

    Raises:
        InputError: there is no part, a weight is not positive, or a corpus holds less than its share.
    """
    if not parts or any(weight <= 0 for _, weight in parts):
        raise InputError(
            "illegal weights", got=[weight for _, weight in parts], expected="one positive number a corpus"
        )
    total = sum(weight for _, weight in parts)
    streams, left = [], []
    for number, (trees, weight) in enumerate(parts):
        size = max(1, round(config.size * weight / total))
        there = _Survey(trees(), config.unit)
        if there.total < size:
            raise InputError(
                f"corpus {number + 1} holds less than its share",
                got=f"{there.total} {config.unit}",
                expected=f"at least {size}",
                cure="Lower its weight or the size.",
            )
        drawn = there.drawn(size, seed)
        streams.append(_picked(trees(), drawn))
        left.append(sum(drawn))
    rng = random.Random(seed)
    while any(left):
        chosen = rng.choices(range(len(left)), weights=left)[0]
        left[chosen] -= 1
        yield next(streams[chosen])
    for stream in streams:  # to the end of its corpus, whose counts are then whole
        for _ in stream:
            raise AssertionError("a sample gave more trees than it said")


class _Survey:
    """The problem and the size of every tree of a corpus, in their order, in 12 bytes a tree."""

    def __init__(self, trees: Iterable[StepTree], unit: Unit) -> None:
        self._keys, self._sizes = array("Q"), array("I")
        for tree in trees:
            self._keys.append(_key(tree))
            self._sizes.append(size_of(tree, unit))

    @property
    def total(self) -> int:
        """The size of the corpus."""
        return sum(self._sizes)

    def drawn(self, size: int, seed: int) -> bytes:
        """For each tree, whether it is drawn: see ``sample``."""
        sizes = np.array(self._sizes, dtype=np.int64)
        keys, problem = np.unique(np.array(self._keys), return_inverse=True)
        lots = np.fromiter((lot(int(key), f"{seed}:sample") for key in keys), dtype=np.uint64, count=len(keys))
        order = np.argsort(lots)
        whole = np.bincount(problem, weights=sizes, minlength=len(keys)).astype(np.int64)[order]
        room = np.zeros_like(whole)
        room[order] = np.clip(size - (whole.cumsum() - whole), 0, whole)
        drawn = bytearray(len(sizes))
        for tree in np.flatnonzero((sizes > 0) & (room[problem] > 0)):
            if sizes[tree] <= room[problem[tree]]:
                room[problem[tree]] -= sizes[tree]
                drawn[tree] = True
        return bytes(drawn)


def _picked(trees: Iterable[StepTree], drawn: bytes) -> Iterator[StepTree]:
    for tree, wanted in itertools.zip_longest(trees, drawn):
        if tree is None or wanted is None:
            raise InputError("the corpus has changed while it was read", expected=f"{len(drawn)} trees again")
        if wanted:
            yield tree


def _key(tree: StepTree) -> int:
    return digest(wording(tree.problem.prompt))
