"""What has come before, known by its digest: for corpora of millions of trees, of which nothing else can be kept."""

from array import array
from hashlib import blake2b

_FREE = 0
_ZERO = 1
"""Stands for a digest of zero, which marks a free place."""
_FEWEST = 1 << 10


def digest(*texts: str) -> int:
    """A number below 2**64 that is fixed by some texts. Of a million of them two are alike by chance once in 40 million
    corpora.
    """
    data = "\x1f".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


class Seen:
    """Digests, each with a number below 2**64: 24 to 48 bytes a digest, where a dictionary takes over 100.

    A hash table with open addressing: a digest stands at the place that its low bits name, or at the next free one.
    """

    def __init__(self) -> None:
        self._digests = array("Q", [_FREE]) * _FEWEST
        self._numbers = array("Q", [0]) * _FEWEST
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def get(self, digest: int) -> int | None:
        """The number that the digest came with first; None if it has not come."""
        place = self._place(digest or _ZERO)
        return None if self._digests[place] == _FREE else self._numbers[place]

    def before(self, digest: int, number: int = 0) -> int | None:
        """The number that the digest came with first; None if it comes for the first time, with this one."""
        digest = digest or _ZERO
        place = self._place(digest)
        if self._digests[place] == digest:
            return self._numbers[place]
        self._digests[place], self._numbers[place] = digest, number
        self._count += 1
        if 3 * self._count > 2 * len(self._digests):
            self._grow()
        return None

    def _place(self, digest: int) -> int:
        digests = self._digests
        last = len(digests) - 1  # a mask, since there is a power of two of them
        place = digest & last
        while digests[place] not in (_FREE, digest):
            place = (place + 1) & last
        return place

    def _grow(self) -> None:
        digests, numbers = self._digests, self._numbers
        self._digests = array("Q", [_FREE]) * (2 * len(digests))
        self._numbers = array("Q", [0]) * (2 * len(digests))
        for digest, number in zip(digests, numbers, strict=True):
            if digest != _FREE:
                place = self._place(digest)
                self._digests[place], self._numbers[place] = digest, number
