"""Engine ``sketch``: each pattern is kept as a short random projection, for more responses than Grams are kept for.

A count sketch adds every value, with a random sign, to one of k buckets; dots of sketches are dots of patterns on
average. The cosine c of a pair is off by a random error of standard deviation sqrt((1 + c^2) / k), at most
sqrt(2 / k): 0.55 percent points at k = 65,536. Norms and sums are exact. Layers are not kept apart.

Source: Charikar, Chen and Farach-Colton 2002 (count sketch); checked against exact Grams in tests.
"""

import math
import zlib
from collections.abc import Sequence

import torch
from torch import Tensor

from prmkit.similarity.job import FLOAT32, Job, Source, TileGram, raw_gram, row_sums
from prmkit.similarity.parameters import Tile
from prmkit.similarity.scratch import Scratch


def sketched_gram(job: Job, tiles: Sequence[Tile], source: Source) -> TileGram:
    """The Gram over all tiles together, its diagonal and sums exact. Its ``tile`` is the first one."""
    width = job.config.sketch_width
    sketch_NK = torch.zeros(job.responses, width, device=job.device)
    squares_N = torch.zeros(job.responses, dtype=torch.float64, device=job.device)
    l1_N = torch.zeros_like(squares_N)
    pieces = [piece for tile in tiles for piece in tile.split(_height(job, tile))]
    scratch = Scratch(job, pieces)
    for rows, batch in job.rows():
        place = scratch.place(len(batch), pieces)
        for index, found in source(job.model, batch, pieces, job.target, job.config.pattern, place):
            patterns_BP = place(index)
            squares_B, l1_B = row_sums(patterns_BP)
            squares_N[rows] += squares_B
            l1_N[rows] += l1_B
            bucket_P, sign_P = _hash(pieces[index], width, job.device)
            sketch_NK[rows] = sketch_NK[rows].index_add(1, bucket_P, patterns_BP.mul_(sign_P))
            job.predict(rows, found)
        job.done()
    gram_NN, _ = raw_gram(sketch_NK)
    gram_NN.fill_diagonal_(0.0)
    gram_NN += torch.diag(squares_N)
    return TileGram(tile=tiles[0], gram=gram_NN.cpu().numpy(), l1=l1_N.cpu().numpy())


def pair_error(width: int, cosine: float = 1.0) -> float:
    """The standard deviation of the error of a cosine, percent points."""
    return 100.0 * math.sqrt((1.0 + cosine**2) / width)


def _height(job: Job, tile: Tile) -> int:
    """Rows of a tile whose patterns of one batch, with their hashes, fit the memory."""
    batch = max(len(batch) for batch in job.batches)
    return max(1, int(job.limit // (tile.width * (batch + 4) * FLOAT32)))


def _hash(tile: Tile, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The bucket and the sign of each value of a tile: the same in every batch and every run."""
    seed = zlib.crc32(f"{tile.weight.name}:{tile.start}".encode())
    random = torch.Generator().manual_seed(seed)
    bucket_P = torch.randint(width, (tile.size,), generator=random)
    sign_P = torch.randint(2, (tile.size,), generator=random).mul_(2).sub_(1).float()
    return bucket_P.to(device), sign_P.to(device)
