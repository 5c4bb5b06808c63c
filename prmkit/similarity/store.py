"""The Gram of each part as it is finished: where a killed run goes on, and where the processes of one run meet.

Shapes: N responses.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from prmkit.errors import RunError


class PartGram(NamedTuple):
    """What one process found of a part: dots [N, N] and sums [N], and the tokens predicted after each response [N]."""

    gram: NDArray[np.float64]
    l1: NDArray[np.float64]
    predicted: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Process:
    """One of several processes that share the work; alone, it is the first of one."""

    rank: int = 0
    world: int = 1

    @classmethod
    def of_environment(cls) -> "Process":
        """As torchrun sets it."""
        return cls(int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


class PartStore:
    """Parts by number, in a folder, or in memory without one."""

    def __init__(self, folder: Path | None, process: Process, shard: str) -> None:
        self._folder, self._process, self._shard = folder, process, shard
        self._held: dict[int, PartGram] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def put(self, part: int, found: PartGram) -> None:
        """Keep what this process found of a part."""
        if self._folder is None:
            self._held[part] = found
            return
        file = self._file(part, self._process.rank)
        partial = file.with_suffix(".partial")
        save_file({key: np.ascontiguousarray(value) for key, value in found._asdict().items()}, partial)
        partial.replace(file)

    def get(self, part: int, rank: int | None = None) -> PartGram | None:
        """What a process, by default this one, found of a part; None if it has not, or its file is broken."""
        if self._folder is None:
            return self._held.get(part)
        try:
            return PartGram(**load_file(self._file(part, self._process.rank if rank is None else rank)))
        except (FileNotFoundError, SafetensorError):
            return None

    def whole(self, part: int) -> PartGram:
        """What all processes found of a part, added up.

        Raises:
            RunError: one of them has not finished it.
        """
        world = self._process.world
        ranks = range(world) if self._shard == "rows" else [part % world]
        found = [self.get(part, rank) for rank in ranks]
        known = [one for one in found if one is not None]
        if len(known) < len(found):
            raise RunError(f"part {part} of the model was not finished by every process. Run again with --resume.")
        predicted = np.max([one.predicted for one in known], axis=0)
        return PartGram(sum(one.gram for one in known), sum(one.l1 for one in known), predicted)  # type: ignore[arg-type]

    def _file(self, part: int, rank: int) -> Path:
        assert self._folder is not None
        return self._folder / f"part-{part:04d}.{self._shard}-{rank}-of-{self._process.world}.safetensors"
