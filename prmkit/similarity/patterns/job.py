"""What every engine is given, and what it gives back.

An engine is a function of a ``Job`` and the tiles to do, and yields the raw Gram of each as it is done. Engines see the
responses in reading order; what they yield is in that order too.

Shapes: N responses.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prmkit.similarity.config import PatternKind, SimilarityConfig
from prmkit.similarity.patterns.activation import Place, Target
from prmkit.similarity.patterns.batches import ResponseBatch, embedding
from prmkit.similarity.patterns.parameters import Reference, Tile
from prmkit.similarity.patterns.targets import TargetValues

FLOAT32 = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """A reference model and the responses it reads, in reading order.

    ``predicted`` [N] is filled by the engine: the token the model would say after each response, -1 where it is not
    known. ``done`` is told of every batch that was differentiated.
    """

    model: Reference
    batches: Sequence[ResponseBatch]
    target: Target
    config: SimilarityConfig
    predicted: NDArray[np.int64]
    done: Callable[[], None] = lambda: None

    @property
    def responses(self) -> int:
        """N."""
        return len(self.predicted)

    @property
    def problem_ids(self) -> list[str]:
        """Of the N responses."""
        return [problem for batch in self.batches for problem in batch.problem_ids]

    @property
    def device(self) -> torch.device:
        """Where the model reads."""
        return embedding(self.model).weight.device

    @property
    def limit(self) -> float:
        """Bytes for patterns."""
        return self.config.memory_gib * 2**30

    def rows(self) -> Iterator[tuple[slice, ResponseBatch]]:
        """Each batch with its rows among the responses."""
        start = 0
        for batch in self.batches:
            yield slice(start, start + len(batch)), batch
            start += len(batch)

    def predict(self, rows: slice, found: TargetValues) -> None:
        """Keep what the model would say after the responses of a batch."""
        if found.predicted_B is not None:
            self.predicted[rows] = found.predicted_B.cpu().numpy()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TileGram:
    """The dots [N, N] of the patterns over a tile, and their sums [N], both fp64."""

    tile: Tile
    gram: NDArray[np.float64]
    l1: NDArray[np.float64]


class Scratch:
    """One tensor that the patterns of a batch over tile after tile are written to, for engines that forget them."""

    def __init__(self, job: Job, tiles: Sequence[Tile]) -> None:
        largest = max(tile.size for tile in tiles) * max(len(batch) for batch in job.batches)
        self._memory = torch.empty(largest, device=job.device)

    def place(self, responses: int, tiles: Sequence[Tile]) -> Place:
        """The places of the tiles for so many responses; each lasts until the next one is asked for."""
        return lambda index: self._memory[: responses * tiles[index].size].view(responses, tiles[index].size)


class PatternSource(Protocol):
    """Writes the patterns of a batch over each tile into a place, tile after tile."""

    def __call__(
        self,
        model: Reference,
        batch: ResponseBatch,
        tiles: Sequence[Tile],
        target: Target,
        kind: PatternKind,
        place: Place,
    ) -> Iterator[tuple[int, TargetValues]]:
        """See ``single_patterns`` and ``batched_patterns``."""
        ...


def tile_gram(tile: Tile, patterns_NP: Tensor) -> TileGram:
    """The Gram of the patterns over a tile."""
    gram_NN, l1_N = raw_gram(patterns_NP)
    return TileGram(tile=tile, gram=gram_NN.cpu().numpy(), l1=l1_N.cpu().numpy())


# All terms are positive, so long fp32 sums drift low; short ones, added up in fp64, do not. Nor does it take a copy in
# fp64, which would be twice the patterns.
_COLUMNS = 4096


def raw_gram(patterns_NP: Tensor) -> tuple[Tensor, Tensor]:
    """[N, N] the dots of the rows and [N] the sums of them, fp64, each to 5e-6 of its value or better."""
    gram_NN = torch.zeros(len(patterns_NP), len(patterns_NP), dtype=torch.float64, device=patterns_NP.device)
    l1_N = torch.zeros(len(patterns_NP), dtype=torch.float64, device=patterns_NP.device)
    for columns_NC in patterns_NP.split(_COLUMNS, dim=1):
        gram_NN += columns_NC @ columns_NC.T
        l1_N += columns_NC.sum(dim=1)
    return gram_NN, l1_N


def row_sums(patterns_BP: Tensor) -> tuple[Tensor, Tensor]:
    """[B] the sums of the squares and of the values of the rows, fp64, as exact as ``raw_gram``."""
    squares_B = torch.zeros(len(patterns_BP), dtype=torch.float64, device=patterns_BP.device)
    l1_B = torch.zeros_like(squares_B)
    for columns_BC in patterns_BP.split(_COLUMNS, dim=1):
        squares_B += torch.linalg.vecdot(columns_BC, columns_BC)
        l1_B += columns_BC.sum(dim=1)
    return squares_B, l1_B
