"""The Gram of each part as it is finished: where a killed run goes on, and where the processes of one run meet.

Shapes: N responses.
"""

from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from prmkit.errors import RunError
from prmkit.run.files import partial_file
from prmkit.run.ranks import Process


class PartGram(NamedTuple):
    """What one process found of a part: dots [N, N] and sums [N], and the tokens predicted after each response [N].

    Of the engine ``mean`` the dots are those of each response with itself [N], or with the sum of each set [N, S]. A
    process that had nothing to do of a part found a single 0.
    """

    gram: NDArray[np.float64]
    l1: NDArray[np.float64]
    predicted: NDArray[np.int64]


Found = TypeVar("Found", bound=tuple[NDArray[Any], ...])


class ArrayStore(Generic[Found]):
    """What was found, by number, in a folder, or in memory without one.

    Args:
        folder: of all processes.
        process: whose store this is.
        shard: what the processes divide.
        kind: a NamedTuple of arrays.
        name: what is kept.
    """

    def __init__(self, folder: Path | None, process: Process, shard: str, kind: type[Found], name: str) -> None:
        self._folder, self._process, self._shard = folder, process, shard
        self._kind, self._name = kind, name
        self._held: dict[int, Found] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def put(self, number: int, found: Found) -> None:
        """Keep what this process found."""
        if self._folder is None:
            self._held[number] = found
            return
        file = self._file(number, self._process.rank)
        with partial_file(file) as partial:
            save_file({key: np.ascontiguousarray(value) for key, value in found._asdict().items()}, partial)  # type: ignore[attr-defined]

    def get(self, number: int, rank: int | None = None) -> Found | None:
        """What a process, by default this one, found; None if it has not, or its file is broken."""
        if self._folder is None:
            return self._held.get(number)
        try:
            return self._kind(**load_file(self._file(number, self._process.rank if rank is None else rank)))
        except (FileNotFoundError, SafetensorError):
            return None

    def of_all(self, number: int, *, shared: bool) -> list[Found]:
        """What the processes found: each of them if they ``shared`` the work on it, or the one whose turn it is.

        Raises:
            RunError: one of them has not finished it.
        """
        world = self._process.world
        found = [self.get(number, rank) for rank in (range(world) if shared else [number % world])]
        known = [one for one in found if one is not None]
        if len(known) < len(found):
            raise RunError(f"{self._name} {number} was not finished by every process. Run again with --resume.")
        return known

    def _file(self, number: int, rank: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{self._name}-{number:04d}.{self._shard}-{rank}-of-{self._process.world}.safetensors"


class PartStore(ArrayStore[PartGram]):
    """Parts of the model by number."""

    def __init__(self, folder: Path | None, process: Process, shard: str, name: str = "part") -> None:
        super().__init__(folder, process, shard, PartGram, name)

    def whole(self, part: int) -> PartGram:
        """What all processes found of a part, added up.

        Raises:
            RunError: one of them has not finished it.
        """
        known = self.of_all(part, shared=self._shard == "rows")
        predicted = np.max([one.predicted for one in known], axis=0)
        return PartGram(sum(one.gram for one in known), sum(one.l1 for one in known), predicted)  # type: ignore[arg-type]
