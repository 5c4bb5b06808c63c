"""One piece of memory for engines that look at the patterns of a batch and forget them."""

from collections.abc import Sequence

import torch

from prmkit.similarity.patterns.activation import Place
from prmkit.similarity.patterns.job import Job
from prmkit.similarity.patterns.parameters import Tile


class Scratch:
    """One tensor that the patterns of a batch over tile after tile are written to."""

    def __init__(self, job: Job, tiles: Sequence[Tile]) -> None:
        largest = max(tile.size for tile in tiles) * max(len(batch) for batch in job.batches)
        self._memory = torch.empty(largest, device=job.device)

    def place(self, responses: int, tiles: Sequence[Tile]) -> Place:
        """The places of the tiles for so many responses; each lasts until the next one is asked for."""
        return lambda index: self._memory[: responses * tiles[index].size].view(responses, tiles[index].size)
