"""Patterns that are written down: engines run on them, and no model is differentiated."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.batches import ResponseBatch
from prmkit.similarity.patterns.job import Job
from prmkit.similarity.patterns.parameters import ChosenParameter, LayerPart, Tile
from prmkit.similarity.patterns.store import ArrayStore
from prmkit.similarity.patterns.targets import TargetValues

Shape = tuple[int, int]


class Written:
    """The patterns of N responses over some weights, as an engine's source; it counts how often it was read.

    Args:
        patterns: [N][P], the values of all weights one after the other.
        shapes: of the weights of each part, ``[[(rows, width), ...], ...]``; one part a layer.
        batch: responses of a batch.
        name: what the names of the weights begin with.
        config: what the engine is told.

    Response n is called ``n``, and the model would say token 100 + n after it.
    """

    def __init__(
        self,
        patterns: Sequence[Sequence[float]],
        shapes: Sequence[Sequence[Shape]],
        *,
        batch: int = 2,
        name: str = "",
        **config: Any,
    ) -> None:
        self.patterns_NP = torch.tensor(patterns)
        self.parts = [
            LayerPart(
                layer=layer,
                kind="mlp",
                weights=tuple(weight(f"{name}{layer}.{n}", shape) for n, shape in enumerate(part)),
            )
            for layer, part in enumerate(shapes)
        ]
        self._starts: dict[str, int] = {}
        for one in (one for part in self.parts for one in part.weights):
            self._starts[one.name] = sum(other.parameter.numel() for other in self._weights() if other.name < one.name)
        count = len(patterns)
        self.reads, self.done = 0, 0
        rows = [range(start, min(start + batch, count)) for start in range(0, count, batch)]
        self.job = Job(
            model=SimpleNamespace(get_input_embeddings=lambda: nn.Embedding(1, 1)),  # type: ignore[arg-type]
            batches=[named(map(str, row)) for row in rows],
            target=lambda model, batch: TargetValues(torch.zeros(len(batch))),
            config=SimilarityConfig(**config),
            predicted=np.full(count, -1),
            done=self._count,
        )

    def __call__(
        self, model: Any, batch: ResponseBatch, tiles: Sequence[Tile], target: Any, kind: Any, place: Any
    ) -> Iterator[tuple[int, TargetValues]]:
        self.reads += 1
        rows = [int(name) for name in batch.problem_ids]
        for index, tile in enumerate(tiles):
            start = self._starts[tile.weight.name] + tile.start * tile.width
            place(index).copy_(self.patterns_NP[rows, start : start + tile.size])
            yield index, TargetValues(torch.zeros(len(batch)), torch.tensor([100 + row for row in rows]))

    def columns(self, part: int) -> Tensor:
        """[N, size] the patterns over a part."""
        start = sum(one.size for one in self.parts[:part])
        return self.patterns_NP[:, start : start + self.parts[part].size]

    def _weights(self) -> list[ChosenParameter]:
        return [one for part in self.parts for one in part.weights]

    def _count(self) -> None:
        self.done += 1


def weight(name: str, shape: Shape) -> ChosenParameter:
    """A parameter of that shape, of no linear map."""
    return ChosenParameter(name=name, parameter=nn.Parameter(torch.zeros(shape)), module=None)


def whole(one: ChosenParameter, part: int = 0) -> Tile:
    """All of a weight."""
    return Tile(part=part, weight=one, start=0, stop=len(one.parameter))


def named(names: Any) -> ResponseBatch:
    """A batch of responses of which nothing but the problem is known."""
    problem_ids = tuple(names)
    count = len(problem_ids)
    ids_BT = torch.zeros(count, 2, dtype=torch.long)
    return ResponseBatch(
        ids_BT=ids_BT,
        mask_BT=torch.ones_like(ids_BT),
        lengths=(2,) * count,
        prompt_lengths=(1,) * count,
        ends=((),) * count,
        problem_ids=problem_ids,
    )


def killed_at_each_file(work: Callable[[Path], Any], folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What is found by work that was killed before each file that it keeps, and then run again in its folder.

    What it kept must stand as it was.
    """
    work(folder / "whole")
    put = ArrayStore.put
    for killed in range(len(list((folder / "whole").iterdir()))):
        store, left = folder / f"killed-{killed}", iter(range(killed))

        def put_until_killed(self: ArrayStore[Any], *found: Any, left: Iterator[int] = left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            put(self, *found)

        with patch.context() as patched:
            patched.setattr(ArrayStore, "put", put_until_killed)
            with pytest.raises(KeyboardInterrupt):
                work(store)
        kept = {file: file.stat().st_mtime_ns for file in store.iterdir()}
        assert len(kept) == killed
        yield work(store)
        assert all(file.stat().st_mtime_ns == time for file, time in kept.items())
