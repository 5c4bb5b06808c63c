"""From sets of responses to their Gram: runs an engine, keeps what it finishes, checks what it found.

Shapes: N responses, S sets, M parts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from prmkit.errors import InputError, RunError
from prmkit.similarity.batches import ResponseBatch, batched, reading_order
from prmkit.similarity.choice import choose_engine, refuse_unsuited
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.gram import PatternGram
from prmkit.similarity.job import Job, Source, TileGram
from prmkit.similarity.layersync import layersync_grams
from prmkit.similarity.mean import set_means
from prmkit.similarity.parameters import (
    MERGED,
    Part,
    Reference,
    Tile,
    backbone,
    chosen_parts,
    decoder,
    layer_name,
    merged_adapters,
    tiles_of,
)
from prmkit.similarity.patterns import batched_patterns
from prmkit.similarity.response import Response
from prmkit.similarity.set_means import SetMeans
from prmkit.similarity.sketch import pair_error, sketched_gram
from prmkit.similarity.store import PartGram, PartStore, Process
from prmkit.similarity.stored import passes, stored_grams
from prmkit.similarity.targets import target_values

Progress = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Told how many batches will be differentiated, it gives a function to call after each."""


def compare(
    model: Reference,
    sets: Mapping[str, Sequence[Response]],
    config: SimilarityConfig,
    *,
    folder: Path | None = None,
    process: Process | None = None,
    progress: Progress | None = None,
) -> PatternGram | SetMeans | None:
    """See ``prmkit.similarity.similarity``."""
    process = process or Process()
    responses, rows = distinct(sets)
    order = reading_order(responses)
    reading = [responses[row] for row in order]
    with merged_adapters(model, config):
        parts = chosen_parts(model, config)
        engine, source, why = choose_engine(model, parts, reading, config)
        refuse_unsuited(engine, config, process)
        origin = _origin(model, config, engine, why)
        batches = batched(model, reading, config.batch_tokens if source is batched_patterns else 1)
        with (progress or _silent)(_batches_to_do(engine, model, parts, batches, config)) as done:
            job = Job(
                model=model,
                batches=batches,
                target=target_values(config.target),
                config=config,
                predicted=np.full(len(reading), -1),
                done=done,
            )
            if engine == "mean":
                return _means(job, parts, source, responses, rows, order, origin)
            if engine == "sketch":
                parts, found = _sketch(job, parts, source)
            else:
                store = PartStore(folder, process, config.shard)
                _fill(store, job, parts, engine, source, process)
                if process.rank:
                    return None
                found = [store.whole(number) for number in range(len(parts))]
    return _result(parts, found, responses, rows, np.argsort(order), origin)


def distinct(sets: Mapping[str, Sequence[Response]]) -> tuple[list[Response], dict[str, tuple[int, ...]]]:
    """The responses of all sets, each once, and the rows of each set.

    A sample that was drawn twice is two responses: the k-th copy in one set is the k-th copy in another.

    Raises:
        InputError: there is no set, or an empty one.
    """
    numbers: dict[tuple[Response, int], int] = {}
    rows = {}
    for name, responses in sets.items():
        if not responses:
            raise InputError("empty set of responses", where=name, expected="at least one")
        copies: dict[Response, int] = {}
        found = []
        for response in responses:
            copies[response] = copies.get(response, 0) + 1
            found.append(numbers.setdefault((response, copies[response]), len(numbers)))
        rows[name] = tuple(found)
    if not rows:
        raise InputError("no set of responses")
    return [response for response, _ in numbers], rows


def _fill(store: PartStore, job: Job, parts: Sequence[Part], engine: str, source: Source, process: Process) -> None:
    """Put the Gram of each part that is not there into the store, and wait until every process has."""
    missing = {number: part for number, part in enumerate(parts) if store.get(number) is None}
    tiles = [piece for tile in tiles_of(missing.items()) for piece in _share(tile, job.config.shard, process)]
    left = {number: sum(tile.size for tile in tiles if tile.part == number) for number in missing}
    sums: dict[int, TileGram] = {}
    for found in layersync_grams(job, tiles) if engine == "layersync" else stored_grams(job, tiles, source):
        number = found.tile.part
        before = sums.get(number)
        sums[number] = found if before is None else _added(before, found)
        left[number] -= found.tile.size
        if left[number] == 0:
            whole = sums.pop(number)
            _check_finite(whole, parts[number], job.batches)
            store.put(number, PartGram(whole.gram, whole.l1, job.predicted))
    if process.world > 1:
        torch.distributed.barrier()


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


def _sketch(job: Job, parts: Sequence[Part], source: Source) -> tuple[list[Part], list[PartGram]]:
    whole = Part(layer=MERGED, kind="sketch", weights=tuple(weight for part in parts for weight in part.weights))
    found = sketched_gram(job, tiles_of([(0, whole)]), source)
    _check_finite(found, whole, job.batches)
    return [whole], [PartGram(found.gram, found.l1, job.predicted)]


def _means(
    job: Job,
    parts: Sequence[Part],
    source: Source,
    responses: Sequence[Response],
    rows: Mapping[str, tuple[int, ...]],
    order: Sequence[int],
    origin: dict[str, str],
) -> SetMeans:
    members_SN = np.array([np.isin(order, found) for found in rows.values()])
    tiles = tiles_of(enumerate(parts))
    cosine_NS, flatness_FN, squares_N = set_means(job, tiles, source, members_SN, [part.layer for part in parts])
    _check_sums(squares_N, "the model", job.batches)
    back = np.argsort(order)
    _check_not_zero(squares_N[back], responses)
    return SetMeans(
        sums=cosine_NS[back],
        flatness=flatness_FN[:, back],
        problem_ids=tuple(response.problem_id for response in responses),
        sets=dict(rows),
        origin=origin,
    )


def _result(
    parts: Sequence[Part],
    found: Sequence[PartGram],
    responses: Sequence[Response],
    rows: Mapping[str, tuple[int, ...]],
    back: NDArray[np.intp],
    origin: dict[str, str],
) -> PatternGram:
    """The Gram in the order of the responses."""
    grams = np.stack([part.gram[np.ix_(back, back)] for part in found])
    _check_not_zero(np.einsum("mnn->n", grams), responses)
    return PatternGram(
        grams=grams,
        l1=np.stack([part.l1[back] for part in found]),
        sizes=tuple(part.size for part in parts),
        layers=tuple(part.layer for part in parts),
        kinds=tuple(part.kind for part in parts),
        problem_ids=tuple(response.problem_id for response in responses),
        predicted_tokens=tuple(np.max([part.predicted for part in found], axis=0)[back].tolist()),
        lengths=tuple(len(response.ids) - response.prompt_length for response in responses),
        correct=tuple(response.correct for response in responses),
        texts=tuple(response.text for response in responses),
        sets=dict(rows),
        origin=origin,
    )


def _check_finite(found: TileGram, part: Part, batches: Sequence[ResponseBatch]) -> None:
    _check_sums(np.diag(found.gram) + found.l1, layer_name(part.layer), batches)


def _check_sums(sums_N: NDArray[np.float64], what: str, batches: Sequence[ResponseBatch]) -> None:
    if not np.isfinite(sums_N).all():
        problems = [problem for batch in batches for problem in batch.problem_ids]
        raise RunError(
            f"{problems[int(np.argmax(~np.isfinite(sums_N)))]}: the gradient of {what} is not finite. "
            "Load the reference model in bfloat16 or float32, and check its weights."
        )


def _check_not_zero(squares_N: NDArray[np.float64], responses: Sequence[Response]) -> None:
    if not squares_N.all():
        raise RunError(
            f"{responses[int(squares_N.argmin())].problem_id}: every gradient is zero, so there is no pattern to "
            "compare. Choose other parameters or layers, or load the reference model in bfloat16 or float32."
        )


def _batches_to_do(
    engine: str, model: Reference, parts: Sequence[Part], batches: Sequence[ResponseBatch], config: SimilarityConfig
) -> int:
    responses = sum(map(len, batches))
    if engine == "layersync":
        turns = len(decoder(model)[1]) - min(part.layer for part in parts)
    elif engine in ("loop", "hooks"):
        turns = len(passes(tiles_of(enumerate(parts)), responses, config.memory_gib * 2**30))
    else:
        turns = 3 if engine == "mean" else 1
    return turns * len(batches)


def _silent(total: int) -> AbstractContextManager[Callable[[], None]]:
    return nullcontext(lambda: None)


def _origin(model: Reference, config: SimilarityConfig, engine: str, why: str) -> dict[str, str]:
    base = backbone(model)
    sketch = {"sketch_error": f"{pair_error(config.sketch_width):.3g} points a pair"} if engine == "sketch" else {}
    return {
        "model": str(base.config.name_or_path),
        "dtype": str(base.dtype).removeprefix("torch."),
        "attention": str(getattr(base.config, "_attn_implementation", None)),
        "preset": str(config.preset),
        "target": config.target,
        "parameters": config.parameters,
        "pattern": config.pattern,
        "normalise": config.normalise,
        "engine": f"{engine} ({why})",
        **sketch,
    }
