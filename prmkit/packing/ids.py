"""Token ids packed as bytes, four for each: put together many times as fast as lists of numbers."""

from array import array
from collections.abc import Iterable

BYTES = 4
"""Of an id: those of np.int32, in this machine's order."""


def packed(ids: Iterable[int]) -> bytes:
    """Ids as bytes."""
    return array("i", ids).tobytes()


def unpacked(data: bytes) -> list[int]:
    """The ids that were packed."""
    return memoryview(data).cast("i").tolist()
