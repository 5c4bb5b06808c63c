"""From sets of responses to their Gram: runs an engine, keeps what it finishes, checks what it found.

Shapes: N responses, S sets, M parts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.run.ranks import Process
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.activation import batched_patterns
from prmkit.similarity.patterns.batches import batched, reading_order
from prmkit.similarity.patterns.engine_choice import choose_engine, refuse_unsuited
from prmkit.similarity.patterns.job import Job, PatternSource, TileGram
from prmkit.similarity.patterns.layersync import layersync_grams
from prmkit.similarity.patterns.mean import SumsOfCosines, set_means
from prmkit.similarity.patterns.parameters import (
    LayerPart,
    Reference,
    Tile,
    backbone,
    chosen_parts,
    decoder,
    merged_adapters,
    tiles_of,
)
from prmkit.similarity.patterns.pending import check_not_zero, fill
from prmkit.similarity.patterns.sketch import pair_error, sketched
from prmkit.similarity.patterns.store import PartGram, PartStore
from prmkit.similarity.patterns.targets import target_values
from prmkit.similarity.patterns.tiles import passes, stored_grams
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.set_means import SetMeans

BatchWatch = Callable[[int], AbstractContextManager[Callable[[], None]]]
"""Told how many batches will be differentiated, it gives a function to call after each."""


def compare(
    model: Reference,
    sets: Mapping[str, Sequence[Response]],
    config: SimilarityConfig,
    *,
    folder: Path | None = None,
    process: Process | None = None,
    progress: BatchWatch | None = None,
) -> PatternGram | SetMeans | None:
    """The Gram of the activation patterns of all responses under a reference model; with engine ``mean``, set scores.

    Args:
        model: any causal LM of Hugging Face, or a PRM; it is left as it was.
        sets: responses by name of their set, encoded by the model's tokenizer. A response may be in several sets.
        config: the scalar, the weights, the engine, the memory.
        folder: where parts are kept as they are finished, so that a killed run goes on; without, in memory.
        process: which of several processes this is, that share the folder and have started
            torch.distributed; only the first gets the Gram, the others None.
        progress: told how many batches will be differentiated, it gives a function to call after each.

    Raises:
        InputError: a set is empty, a response does not suit the model, or memory does not suffice.
        RunError: a gradient is not finite (the layer is named), or all of a response's are zero.

    Source: the paper, section "Pattern Similarity"; Wang et al. 2025 (AAAI-25).
    """
    process = process or Process()
    responses, rows = distinct(sets)
    order = reading_order(responses)
    reading = [responses[row] for row in order]
    with merged_adapters(model, config):
        parts = chosen_parts(model, config)
        engine, source, why = choose_engine(model, parts, reading, config)
        refuse_unsuited(engine, config)
        origin = _origin(model, config, engine, why)
        batches = batched(model, reading, config.batch_tokens if source is batched_patterns else 1)
        with (progress or _silent)(
            len(batches) * _turns(engine, model, parts, len(reading), len(sets), config)
        ) as done:
            job = Job(
                model=model,
                batches=batches,
                target=target_values(config.target),
                config=config,
                predicted=np.full(len(reading), -1),
                done=done,
            )
            back = np.argsort(order)
            if engine == "mean":
                members_SN = np.array([np.isin(order, found) for found in rows.values()])
                means = set_means(job, parts, source, members_SN, folder, process)
                return None if means is None else _set_means(means, back, responses, rows, origin)
            if engine == "sketch":
                parts, found = sketched(job, parts, source, folder, process)
            else:
                found = _grams(job, parts, source, engine, PartStore(folder, process, config.shard), process)
    return None if process.rank else _result(parts, found, responses, rows, back, origin)


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


def _grams(
    job: Job, parts: Sequence[LayerPart], source: PatternSource, engine: str, store: PartStore, process: Process
) -> list[PartGram]:
    """The Gram of every part; nothing for a process that is not the first."""

    def grams(tiles: Sequence[Tile]) -> Iterator[TileGram]:
        return layersync_grams(job, tiles) if engine == "layersync" else stored_grams(job, tiles, source)

    fill(store, job, parts, grams, process)
    return [] if process.rank else [store.whole(number) for number in range(len(parts))]


def _set_means(
    found: SumsOfCosines,
    back: NDArray[np.intp],
    responses: Sequence[Response],
    rows: Mapping[str, tuple[int, ...]],
    origin: dict[str, str],
) -> SetMeans:
    """The set scores, in the order of the responses."""
    return SetMeans(
        sums=found.cosine_NS[back],
        flatness=found.flatness_FN[:, back],
        problem_ids=tuple(response.problem_id for response in responses),
        sets=dict(rows),
        origin=origin,
    )


def _result(
    parts: Sequence[LayerPart],
    found: Sequence[PartGram],
    responses: Sequence[Response],
    rows: Mapping[str, tuple[int, ...]],
    back: NDArray[np.intp],
    origin: dict[str, str],
) -> PatternGram:
    """The Gram in the order of the responses."""
    grams = np.stack([part.gram[np.ix_(back, back)] for part in found])
    check_not_zero(np.einsum("mnn->n", grams), [response.problem_id for response in responses])
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


def _turns(
    engine: str, model: Reference, parts: Sequence[LayerPart], responses: int, sets: int, config: SimilarityConfig
) -> int:
    """How often every batch will be differentiated."""
    tiles, limit = tiles_of(enumerate(parts)), config.memory_gib * 2**30
    if engine == "layersync":
        return len(decoder(model)[1]) - min(part.layer for part in parts)
    if engine == "mean":
        return 1 + 2 * len(passes(tiles, sets, limit))
    return 1 if engine == "sketch" else len(passes(tiles, responses, limit))


def _silent(total: int) -> AbstractContextManager[Callable[[], None]]:
    return nullcontext(lambda: None)


def _origin(model: Reference, config: SimilarityConfig, engine: str, why: str) -> dict[str, str]:
    base = backbone(model)
    sketch = {"sketch_error": f"{pair_error(config.sketch_width):.3g} a pair"} if engine == "sketch" else {}
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
