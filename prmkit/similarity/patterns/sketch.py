"""Engine ``sketch``: each pattern is kept as a short random projection, for more responses than Grams are kept for.

A count sketch adds every value, with a random sign, to one of k buckets; dots of sketches are dots of patterns on
average. The cosine c of a pair is off by a random error of standard deviation sqrt((1 + c^2) / k), at most
sqrt(2 / k): 0.0055 at k = 65,536. Norms and sums are exact. Layers are not kept apart.

Source: Charikar, Chen and Farach-Colton 2002 (count sketch); checked against exact Grams in tests.
"""

import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from prmkit.run.ranks import Process
from prmkit.similarity.patterns.batches import ResponseBatch
from prmkit.similarity.patterns.job import FLOAT32, Job, PatternSource, Scratch, raw_gram, row_sums
from prmkit.similarity.patterns.parameters import MERGED, LayerPart, Tile, layer_name, tiles_of
from prmkit.similarity.patterns.pending import check_finite, wait_for_all
from prmkit.similarity.patterns.store import ArrayStore, PartGram

_CHUNK = 64
"""Responses that a file holds the sketches of, or a few more."""


class SketchRows(NamedTuple):
    """The sketches [R, K] of some responses, the sums of squares and of values [R] of their patterns, fp64, and the
    tokens predicted after them [R]."""

    sketches: NDArray[np.float32]
    squares: NDArray[np.float64]
    l1: NDArray[np.float64]
    predicted: NDArray[np.int64]


def sketched(
    job: Job, parts: Sequence[LayerPart], source: PatternSource, folder: Path | None, process: Process
) -> tuple[list[LayerPart], list[PartGram]]:
    """The Gram over all parts together, as one part; it is empty for a process that is not the first.

    A sketch keeps responses apart and layers not, so it is responses that are kept as they are finished, and that
    processes divide.

    Raises:
        RunError: a gradient is not finite.
    """
    whole = LayerPart(layer=MERGED, kind="sketch", weights=tuple(weight for part in parts for weight in part.weights))
    store = ArrayStore(folder, process, "responses", SketchRows, "sketch")
    pieces = _pieces(job, tiles_of([(0, whole)]))
    chunks = list(_chunks(job.batches))
    for number, batches in enumerate(chunks):
        if number % process.world == process.rank and store.get(number) is None:
            chunk = replace(job, batches=batches, predicted=np.full(sum(map(len, batches)), -1))
            found = _sketch_rows(chunk, pieces, source)
            check_finite(found.squares + found.l1, layer_name(MERGED), chunk.problem_ids)
            store.put(number, found)
    wait_for_all(process)
    if process.rank:
        return [whole], []
    return [whole], [_gram((store.of_all(number, shared=False)[0] for number in range(len(chunks))), job)]


def pair_error(width: int) -> float:
    """The standard deviation of the error of a cosine near 1, where it is largest."""
    return math.sqrt(2.0 / width)


def _chunks(batches: Sequence[ResponseBatch]) -> Iterator[list[ResponseBatch]]:
    """The batches in groups of enough responses to be worth a file."""
    chunk: list[ResponseBatch] = []
    for batch in batches:
        chunk.append(batch)
        if sum(map(len, chunk)) >= _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _sketch_rows(job: Job, pieces: Sequence[Tile], source: PatternSource) -> SketchRows:
    """The sketches of the responses of a job, over all pieces together."""
    width = job.config.sketch_width
    sketch_RK = torch.zeros(job.responses, width, device=job.device)
    squares_R = torch.zeros(job.responses, dtype=torch.float64, device=job.device)
    l1_R = torch.zeros_like(squares_R)
    scratch = Scratch(job, pieces)
    for rows, batch in job.rows():
        place = scratch.place(len(batch), pieces)
        for index, found in source(job.model, batch, pieces, job.target, job.config.pattern, place):
            patterns_BP = place(index)
            squares_B, l1_B = row_sums(patterns_BP)
            squares_R[rows] += squares_B
            l1_R[rows] += l1_B
            bucket_P, sign_P = _hash(pieces[index], width, job.device)
            sketch_RK[rows] = sketch_RK[rows].index_add(1, bucket_P, patterns_BP.mul_(sign_P))
            job.predict(rows, found)
        job.done()
    return SketchRows(sketch_RK.cpu().numpy(), squares_R.cpu().numpy(), l1_R.cpu().numpy(), job.predicted)


def _gram(found: Iterable[SketchRows], job: Job) -> PartGram:
    """The Gram of all responses, in their order: its diagonal and sums are exact."""
    sketch_NK = torch.empty(job.responses, job.config.sketch_width, device=job.device)
    others: list[tuple[NDArray[Any], ...]] = []
    start = 0
    for one in found:
        sketch_NK[start : start + len(one.sketches)] = torch.from_numpy(one.sketches)
        start += len(one.sketches)
        others.append(one[1:])
    squares_N, l1_N, predicted_N = (np.concatenate(arrays) for arrays in zip(*others, strict=True))
    gram_NN = raw_gram(sketch_NK)[0].cpu().numpy()
    np.fill_diagonal(gram_NN, squares_N)
    return PartGram(gram_NN, l1_N, predicted_N)


def _pieces(job: Job, tiles: Sequence[Tile]) -> list[Tile]:
    """The tiles in pieces whose patterns of any batch of the job, with their hashes, fit the memory.

    A value's bucket depends on its piece, so sketches are compared that were made of the same pieces.
    """
    batch = max(len(batch) for batch in job.batches)
    return [
        piece for tile in tiles for piece in tile.split(max(1, int(job.limit // (tile.width * (batch + 4) * FLOAT32))))
    ]


def _hash(tile: Tile, width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The bucket and the sign of each value of a tile: the same in every batch and every run."""
    seed = zlib.crc32(f"{tile.weight.name}:{tile.start}".encode())
    random = torch.Generator().manual_seed(seed)
    bucket_P = torch.randint(width, (tile.size,), generator=random)
    sign_P = torch.randint(2, (tile.size,), generator=random).mul_(2).sub_(1).float()
    return bucket_P.to(device), sign_P.to(device)
