"""A part of a corpus: sampled or split by problem, or mixed from several corpora. The trees are never all in memory."""

import hashlib
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from prmkit.errors import InputError
from prmkit.run.seeds import lot
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
    """
    room = _drawn(_sizes(trees(), config.unit), config.size, seed)
    for tree in trees():
        key, size = _key(tree), size_of(tree, config.unit)
        if 0 < size <= room.get(key, 0):
            room[key] -= size
            yield tree


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
        share = config.model_copy(update={"size": max(1, round(config.size * weight / total))})
        there = sum(_sizes(trees(), config.unit).values())
        if there < share.size:
            raise InputError(
                f"corpus {number + 1} holds less than its share",
                got=f"{there} {config.unit}",
                expected=f"at least {share.size}",
                cure="Lower its weight or the size.",
            )
        streams.append(sample(trees, share, seed))
        left.append(sum(1 for _ in sample(trees, share, seed)))
    rng = random.Random(seed)
    while any(left):
        chosen = rng.choices(range(len(left)), weights=left)[0]
        left[chosen] -= 1
        yield next(streams[chosen])
    for stream in streams:  # to the end of its corpus, whose counts are then whole
        for _ in stream:
            raise AssertionError("a sample gave more trees than it said")


def _sizes(trees: Iterable[StepTree], unit: Unit) -> dict[int, int]:
    """The size of each problem, by its key."""
    sizes: dict[int, int] = {}
    for tree in trees:
        key = _key(tree)
        sizes[key] = sizes.get(key, 0) + size_of(tree, unit)
    return sizes


def _drawn(sizes: Mapping[int, int], size: int, seed: int) -> dict[int, int]:
    """The problems drawn, and how much each may give."""
    room: dict[int, int] = {}
    for key in sorted(sizes, key=lambda key: lot(key, f"{seed}:sample")):
        if size <= 0:
            break
        room[key] = min(size, sizes[key])
        size -= room[key]
    return room


def _key(tree: StepTree) -> int:
    digest = hashlib.blake2b(wording(tree.problem.prompt).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
