"""Several rows in one sequence, so that no token is padding: each row sees itself alone.

Shapes: B sequences, T tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from prmkit.packing.table import RowTable, TokenRow, joined


class Packing(NamedTuple):
    """How the tokens of packed sequences stand to each other: their positions, and token i attends to token j where
    ``j <= i < until[j]``.
    """

    positions_BT: Tensor
    until_BT: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sequences:
    """Sequences of whole rows, each put together when it is asked for.

    Attributes:
        rows: all rows, of other sequences too.
        order: the rows of the first sequence by index, then those of the second, ...
        starts: where in ``order`` each sequence starts, and where the last one ends.
    """

    rows: RowTable
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, index: int) -> TokenRow:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start, stop = self.starts[index : index + 2].tolist()
        return joined([self.rows[row] for row in self.order[start:stop].tolist()])

    def __iter__(self) -> Iterator[TokenRow]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sequence."""
        return self._summed(self.rows.lengths)

    @property
    def weights(self) -> NDArray[np.float64]:
        """The summed weight of the labels of each sequence."""
        return self._summed(self.rows.row_weights)

    def _summed(self, values: NDArray[Any]) -> NDArray[Any]:
        return np.add.reduceat(values[self.order], self.starts[:-1]) if len(self) else values[:0]


def alone(rows: RowTable, chosen: NDArray[np.int64]) -> Sequences:
    """Some rows, each a sequence of its own."""
    return Sequences(rows=rows, order=chosen, starts=np.arange(len(chosen) + 1))


def pack(rows: RowTable, chosen: NDArray[np.int64], budget: int) -> Sequences:
    """Some rows in as few sequences of up to ``budget`` tokens as best-fit-decreasing finds.

    Longest first, a row joins the fullest sequence that has room for it; one longer than the budget stands alone. The
    result does not depend on the order of the rows but among those of equal length.
    """
    lengths = rows.lengths[chosen]
    placed = np.argsort(-lengths, kind="stable")
    places = np.empty(len(placed), dtype=np.int64)
    # Of each number of tokens that are left, the sequences that have so many; and the numbers that occur, as bits.
    open_with: list[list[int]] = [[] for _ in range(budget + 1)]
    occurring, count = 0, 0
    for index, length in enumerate(lengths[placed].tolist()):
        fitting = occurring >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            sequence = heappop(open_with[room])
            if not open_with[room]:
                occurring ^= 1 << room
        else:
            room, sequence, count = budget, count, count + 1
        places[index] = sequence
        if (left := room - length) > 0:
            heappush(open_with[left], sequence)
            occurring |= 1 << left
    together = np.argsort(places, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=count))])
    return Sequences(rows=rows, order=chosen[placed[together]], starts=starts)
