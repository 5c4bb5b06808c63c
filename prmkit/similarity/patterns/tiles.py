"""Engines ``loop`` and ``hooks``: the patterns of all responses over some tiles are held at once.

Tiles that do not fit in memory together take another pass over the responses; a matrix that does not fit is cut into
rows. ``loop`` asks autograd for one response at a time, ``hooks`` makes the patterns of a batch from its linear maps.
"""

from collections.abc import Iterator, Sequence

import torch

from prmkit.errors import InputError
from prmkit.similarity.patterns.job import FLOAT32, Job, PatternSource, TileGram, tile_gram
from prmkit.similarity.patterns.parameters import Tile


def stored_grams(job: Job, tiles: Sequence[Tile], source: PatternSource) -> Iterator[TileGram]:
    """The Gram of every tile, from patterns made by ``source``.

    Raises:
        InputError: the patterns over a single row of a weight do not fit the memory limit.
    """
    for group in passes(tiles, job.responses, job.limit):
        held = [torch.empty(job.responses, tile.size, device=job.device) for tile in group]
        for rows, batch in job.rows():
            places = [patterns_NP[rows] for patterns_NP in held]
            for _, found in source(job.model, batch, group, job.target, job.config.pattern, places.__getitem__):
                job.predict(rows, found)
            job.done()
        for tile in group:
            yield tile_gram(tile, held.pop(0))


def passes(tiles: Sequence[Tile], responses: int, limit: float) -> list[list[Tile]]:
    """The tiles in groups whose patterns fit the limit in bytes, in order, cut into rows where need be.

    Raises:
        InputError: a single row does not fit.
    """
    groups: list[list[Tile]] = []
    room = 0.0
    for whole in tiles:
        row = whole.width * responses * FLOAT32
        if row > limit:
            raise InputError(
                "the patterns over one row of a weight do not fit in memory",
                where=whole.weight.name,
                got=f"{responses} responses x {whole.width} weights = {row / 2**30:.3g} GiB",
                expected=f"at most {limit / 2**30:.3g} GiB",
                cure="Use fewer responses, or raise pattern.memory_gib.",
            )
        for tile in whole.split(int(limit // row)):
            need = tile.size * responses * FLOAT32
            if need > room:
                groups.append([])
                room = limit
            groups[-1].append(tile)
            room -= need
    return groups
