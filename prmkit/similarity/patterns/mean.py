"""Engine ``mean``: set scores without a Gram, in memory that does not grow with the responses.

A mean of cosines over pairs is a dot of mean unit vectors: (1/nm) sum_ij u_i . v_j = ubar . vbar, exactly. Three passes
over the responses: their norms, the sum of the unit vectors of each set, and the dots of each response with these sums,
from which standard errors follow.

Shapes: B responses of a batch, N of all, S sets, M parts, F groups of them, K tiles, P weights.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prmkit.run.ranks import Process
from prmkit.similarity.patterns.job import Job, PatternSource, Scratch, TileGram, row_sums
from prmkit.similarity.patterns.parameters import LayerPart, Tile, layer_name
from prmkit.similarity.patterns.pending import check_not_zero, fill
from prmkit.similarity.patterns.store import PartStore
from prmkit.similarity.patterns.tiles import passes

Visit = Callable[[int, slice, Tensor], None]
"""Told of a tile, the rows of a batch, and the patterns of that batch over the tile."""


class SumsOfCosines(NamedTuple):
    """[N, S] the summed cosine of every response with every set, itself included, and [F, N] the chance level's factor
    of each response, of F groups of parts that share a norm."""

    cosine_NS: NDArray[np.float64]
    flatness_FN: NDArray[np.float64]


def set_means(
    job: Job,
    parts: Sequence[LayerPart],
    source: PatternSource,
    members_SN: NDArray[np.bool_],
    folder: Path | None,
    process: Process,
) -> SumsOfCosines | None:
    """What set scores follow from; None for a process that is not the first.

    Args:
        job: of all responses.
        parts: of the model. Those of one layer share a norm if ``normalise`` is ``layer``, and all do if not.
        source: of the patterns.
        members_SN: which responses a set holds.
        folder: where finished parts are kept; None keeps them in memory.
        process: which of several this is.

    Raises:
        RunError: a gradient is not finite, or all of a response's are zero.
    """
    store = PartStore(folder, process, job.config.shard, "norm")
    fill(store, job, parts, lambda tiles: _norms(job, tiles, source), process)
    found = [store.whole(number) for number in range(len(parts))]
    apart = job.config.normalise == "layer"
    layer_F, group_M = np.unique([part.layer if apart else 0 for part in parts], return_inverse=True)
    shares_FM = (group_M == np.unique(group_M)[:, None]).astype(np.float64)
    squares_FN, l1_FN = (shares_FM @ np.stack(of_parts) for of_parts in list(zip(*found, strict=True))[:2])
    for layer, squares_N in zip(layer_F, squares_FN, strict=True):
        check_not_zero(squares_N, job.problem_ids, layer_name(int(layer)) if apart else "")
    scale_FN = 1 / np.sqrt(squares_FN * len(squares_FN))
    store = PartStore(folder, process, job.config.shard, "dots")
    fill(store, job, parts, lambda tiles: _dots(job, tiles, source, members_SN, scale_FN[group_M]), process)
    if process.rank:
        return None
    sizes_F = shares_FM @ [part.size for part in parts]
    return SumsOfCosines(
        cosine_NS=np.sum([store.whole(number).gram for number in range(len(parts))], axis=0),
        flatness_FN=l1_FN * scale_FN / np.sqrt(sizes_F)[:, None],
    )


def _norms(job: Job, tiles: Sequence[Tile], source: PatternSource) -> Iterator[TileGram]:
    """The dot of each response with itself, [N], and the sum of its values, over every tile."""
    squares_KN = torch.zeros(len(tiles), job.responses, dtype=torch.float64, device=job.device)
    l1_KN = torch.zeros_like(squares_KN)

    def measure(index: int, rows: slice, patterns_BP: Tensor) -> None:
        squares_KN[index, rows], l1_KN[index, rows] = row_sums(patterns_BP)

    _read(job, tiles, source, measure)
    for tile, squares_N, l1_N in zip(tiles, squares_KN.cpu().numpy(), l1_KN.cpu().numpy(), strict=True):
        yield TileGram(tile=tile, gram=squares_N, l1=l1_N)


def _dots(
    job: Job, tiles: Sequence[Tile], source: PatternSource, members_SN: NDArray[np.bool_], scale_MN: NDArray[np.float64]
) -> Iterator[TileGram]:
    """The dot of each unit pattern with the sum of those of each set, [N, S], over every tile.

    Args:
        job: of all responses.
        tiles: to do. Those whose sums do not fit the memory limit together take two more passes.
        source: of the patterns.
        members_SN: which responses a set holds.
        scale_MN: for each part, what a pattern is multiplied by to be a part of a unit vector.
    """
    members, scale = torch.from_numpy(members_SN).to(job.device), torch.from_numpy(scale_MN).to(job.device)
    for group in passes(tiles, len(members), job.limit):
        yield from _dots_of_group(job, group, source, members, scale)


def _dots_of_group(
    job: Job, tiles: Sequence[Tile], source: PatternSource, members_SN: Tensor, scale_MN: Tensor
) -> Iterator[TileGram]:
    sums = [torch.zeros(len(members_SN), tile.size, device=job.device) for tile in tiles]
    dots_KNS = torch.zeros(len(tiles), job.responses, len(members_SN), dtype=torch.float64, device=job.device)

    def add(index: int, rows: slice, patterns_BP: Tensor) -> None:
        scaled_SB = members_SN[:, rows] * scale_MN[tiles[index].part, rows]
        sums[index].addmm_(scaled_SB.float(), patterns_BP)

    def compare(index: int, rows: slice, patterns_BP: Tensor) -> None:
        scaled_B1 = scale_MN[tiles[index].part, rows, None]
        dots_KNS[index, rows] = (patterns_BP @ sums[index].T).double() * scaled_B1

    _read(job, tiles, source, add)
    _read(job, tiles, source, compare)
    for tile, dots_NS in zip(tiles, dots_KNS.cpu().numpy(), strict=True):
        yield TileGram(tile=tile, gram=dots_NS, l1=np.zeros(job.responses))


def _read(job: Job, tiles: Sequence[Tile], source: PatternSource, visit: Visit) -> None:
    scratch = Scratch(job, tiles)
    for rows, batch in job.rows():
        place = scratch.place(len(batch), tiles)
        for index, found in source(job.model, batch, tiles, job.target, job.config.pattern, place):
            visit(index, rows, place(index))
            job.predict(rows, found)
        job.done()
