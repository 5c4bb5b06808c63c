"""Engine ``mean``: set scores without a Gram, in memory that does not grow with the responses.

A mean of cosines over pairs is a dot of mean unit vectors: (1/nm) sum_ij u_i . v_j = ubar . vbar, exactly. Three passes
over the responses: their norms, the sum of the unit vectors of each set, and the dots of each response with these sums,
from which standard errors follow.

Shapes: B responses of a batch, N of all, S sets, F groups of parts that share a norm, P weights.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prmkit.similarity.job import Job, Source
from prmkit.similarity.parameters import Tile
from prmkit.similarity.scratch import Scratch

Visit = Callable[[int, slice, Tensor], None]
"""Told of a tile, the rows of a batch, and the patterns of that batch over the tile."""


def set_means(
    job: Job, tiles: Sequence[Tile], source: Source, members_SN: NDArray[np.bool_], layers: Sequence[int]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The summed cosine of every response with every set, and what their chance level needs.

    Args:
        job: of all responses.
        tiles: of all parts.
        source: of the patterns.
        members_SN: which responses a set holds.
        layers: of each part; parts of one layer share a norm if ``normalise`` is ``layer``, and all parts do if not.

    Returns:
        [N, S] sums of cosines, a response's with itself included; [F, N] the chance level's factor of each response;
        [N] the sums of squares, by which to see what is zero or not finite.
    """
    group_of = np.unique(layers if job.config.normalise == "layer" else [0] * len(layers), return_inverse=True)[1]
    groups = int(group_of.max()) + 1
    squares_FN = torch.zeros(groups, job.responses, dtype=torch.float64, device=job.device)
    l1_FN = torch.zeros_like(squares_FN)

    def measure(index: int, rows: slice, patterns_BP: Tensor) -> None:
        group = int(group_of[tiles[index].part])
        l1_FN[group, rows] += patterns_BP.sum(dim=1, dtype=torch.float64)
        squares_FN[group, rows] += patterns_BP.square().sum(dim=1, dtype=torch.float64)

    _read(job, tiles, source, measure)
    scale_FN = squares_FN.rsqrt() / groups**0.5
    members = torch.from_numpy(members_SN.astype(np.float32)).to(job.device)
    sums = [torch.zeros(len(members), tile.size, device=job.device) for tile in tiles]

    def add(index: int, rows: slice, patterns_BP: Tensor) -> None:
        scaled_B = scale_FN[group_of[tiles[index].part], rows].float()
        sums[index].addmm_(members[:, rows] * scaled_B, patterns_BP)

    _read(job, tiles, source, add)
    cosine_NS = torch.zeros(job.responses, len(members), dtype=torch.float64, device=job.device)

    def compare(index: int, rows: slice, patterns_BP: Tensor) -> None:
        scaled_B = scale_FN[group_of[tiles[index].part], rows]
        cosine_NS[rows] += (patterns_BP @ sums[index].T).double() * scaled_B[:, None]

    _read(job, tiles, source, compare)
    sizes = np.bincount(group_of, weights=[sum(t.size for t in tiles if t.part == part) for part in range(len(layers))])
    flatness_FN = (l1_FN * scale_FN).cpu().numpy() / np.sqrt(sizes)[:, None]
    return cosine_NS.cpu().numpy(), flatness_FN, squares_FN.sum(dim=0).cpu().numpy()


def _read(job: Job, tiles: Sequence[Tile], source: Source, visit: Visit) -> None:
    scratch = Scratch(job, tiles)
    for rows, batch in job.rows():
        place = scratch.place(len(batch), tiles)
        for index, found in source(job.model, batch, tiles, job.target, job.config.pattern, place):
            visit(index, rows, place(index))
            job.predict(rows, found)
        job.done()
