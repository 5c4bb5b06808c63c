"""The parts of a model that are not in the store yet: an engine runs over them, and what it finds is put there.

Shapes: N responses.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from prmkit.errors import RunError
from prmkit.run.ranks import Process
from prmkit.similarity.patterns.job import Job, TileGram
from prmkit.similarity.patterns.parameters import LayerPart, Tile, layer_name, tiles_of
from prmkit.similarity.patterns.store import PartGram, PartStore

PartEngine = Callable[[Sequence[Tile]], Iterable[TileGram]]
"""Yields what it finds over each of these tiles as it is done."""


def fill(store: PartStore, job: Job, parts: Sequence[LayerPart], engine: PartEngine, process: Process) -> None:
    """Put what an engine finds of each part that is not there into the store, and wait until every process has.

    Raises:
        RunError: a gradient is not finite; the layer is named.
    """
    missing = {number: part for number, part in enumerate(parts) if store.get(number) is None}
    tiles = [piece for tile in tiles_of(missing.items()) for piece in _share(tile, job.config.shard, process)]
    left = {number: sum(tile.size for tile in tiles if tile.part == number) for number in missing}
    for number in missing:
        if left[number] == 0 and job.config.shard == "rows":  # fewer rows than processes: its share is nothing
            store.put(number, PartGram(np.zeros(1), np.zeros(1), job.predicted))
    sums: dict[int, TileGram] = {}
    for found in engine(tiles) if tiles else ():
        number = found.tile.part
        before = sums.get(number)
        sums[number] = found if before is None else _added(before, found)
        left[number] -= found.tile.size
        if left[number] == 0:
            whole = sums.pop(number)
            check_finite(_own(whole.gram) + whole.l1, layer_name(parts[number].layer), job.problem_ids)
            store.put(number, PartGram(whole.gram, whole.l1, job.predicted))
    wait_for_all(process)


def wait_for_all(process: Process) -> None:
    """Until every process has come here."""
    if process.world > 1:
        torch.distributed.barrier()


def check_finite(sums_N: NDArray[np.float64], what: str, problem_ids: Sequence[str]) -> None:
    """Raise RunError, with the response and ``what``, if a sum over a response's pattern is no number."""
    if not np.isfinite(sums_N).all():
        raise RunError(
            f"{problem_ids[int(np.argmax(~np.isfinite(sums_N)))]}: the gradient of {what} is not finite. "
            "Load the reference model in bfloat16 or float32, and check its weights."
        )


def check_not_zero(squares_N: NDArray[np.float64], problem_ids: Sequence[str], what: str = "") -> None:
    """Raise RunError, with the response, if a response has no pattern; ``what`` says of which layer, if of one."""
    if not squares_N.all():
        of = f" of {what}" if what else ""
        raise RunError(
            f"{problem_ids[int(squares_N.argmin())]}: every gradient{of} is zero, so there is no pattern to "
            "compare. Choose other parameters or layers, or load the reference model in bfloat16 or float32."
        )


def _own(dots: NDArray[np.float64]) -> NDArray[np.float64]:
    """[N] numbers that are finite if the pattern of each response is: its dot with itself, where that is known."""
    square = dots.ndim == 2 and dots.shape[0] == dots.shape[1]
    found: NDArray[np.float64] = dots.diagonal() if square else dots.reshape(len(dots), -1).sum(axis=1)
    return found


def _share(tile: Tile, shard: str, process: Process) -> Iterator[Tile]:
    """What of a tile this process does."""
    if shard == "layer":
        if tile.part % process.world == process.rank:
            yield tile
        return
    start, stop = (tile.stop * rank // process.world for rank in (process.rank, process.rank + 1))
    if start < stop:
        yield Tile(part=tile.part, weight=tile.weight, start=start, stop=stop)


def _added(first: TileGram, second: TileGram) -> TileGram:
    return TileGram(tile=second.tile, gram=first.gram + second.gram, l1=first.l1 + second.l1)
