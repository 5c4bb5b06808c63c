"""Token rows as columns: what is trained on, in arrays that can lie in files and be mapped by many processes.

Shapes: R rows, T tokens of all rows, S steps of all rows.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TokenRow:
    """One sequence.

    Token i attends to token j where ``j <= i < until[j]``: to what stands before it on its own path. ``ends`` are the
    tokens at which steps end. ``labels`` are NaN at steps that are not supervised here; ``weights`` multiply their
    losses.
    """

    ids: NDArray[np.int32]
    positions: NDArray[np.int32]
    until: NDArray[np.int32]
    ends: NDArray[np.int32]
    labels: NDArray[np.floating[Any]]
    weights: NDArray[np.floating[Any]]
    problems: tuple[str, ...]

    @property
    def plain(self) -> bool:
        """Whether every token attends to all before it."""
        return bool((self.until == len(self.ids)).all())

    @property
    def pairs(self) -> int:
        """How many pairs of a token and one that it attends to there are."""
        return int(self.until.sum(dtype=np.int64)) - len(self.ids) * (len(self.ids) - 1) // 2

    @property
    def supervised(self) -> int:
        """The number of labels."""
        return int((~np.isnan(self.labels)).sum())

    @property
    def weight(self) -> float:
        """The summed weight of the labels."""
        return math.fsum(self.weights[~np.isnan(self.labels)])


class Rows(Protocol):
    """Rows by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> TokenRow: ...


COLUMNS: dict[str, type[np.generic]] = {
    "ids": np.int32,
    "id_starts": np.int64,
    "step_starts": np.int64,
    "prompt_tokens": np.int32,
    "problems": np.int32,
    "ends": np.int32,
    "depths": np.int32,
    "untils": np.int32,
    "labels": np.float64,
    "weights": np.float64,
    "sources": np.uint16,
}


_MOST_SOURCES = int(np.iinfo(np.uint16).max) + 1


def refuse_too_many_sources(names: Collection[str]) -> None:
    """Raise InputError if there are more label sources than a column of ``sources`` can tell apart."""
    if len(names) > _MOST_SOURCES:
        raise InputError(
            f"the labels name more than {_MOST_SOURCES} sources",
            got=[*names][-1],
            expected="the names of the few who made them",
            cure="Is label.source of the trees an id of each row?",
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RowTable:
    """Rows, one after another. A row is its problem's tokens, then its steps, depth first.

    Attributes:
        ids: token ids, (T,).
        id_starts: where in ``ids`` each row starts, and where the last one ends, (R + 1,).
        step_starts: the same in the columns of steps, (R + 1,).
        prompt_tokens: tokens before the first step, (R,).
        problems: which of ``names`` a row belongs to, (R,).
        ends: the place in its row of a step's last token, (S,).
        depths: the position of a step's first token on its path, (S,).
        untils: where in its row a step's last descendant ends, (S,).
        labels: NaN at steps that are not supervised in this row, (S,).
        weights: of the labels, (S,).
        sources: which of ``label_sources`` a label is from, (S,).
        names: the ids of the problems.
        label_sources: who made the labels.
    """

    ids: NDArray[np.int32]
    id_starts: NDArray[np.int64]
    step_starts: NDArray[np.int64]
    prompt_tokens: NDArray[np.int32]
    problems: NDArray[np.int32]
    ends: NDArray[np.int32]
    depths: NDArray[np.int32]
    untils: NDArray[np.int32]
    labels: NDArray[np.floating[Any]]
    weights: NDArray[np.floating[Any]]
    sources: NDArray[np.uint16]
    names: Sequence[str]
    label_sources: Sequence[str]

    def __len__(self) -> int:
        return len(self.problems)

    def __getitem__(self, index: int) -> TokenRow:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start, stop = self.id_starts[index : index + 2].tolist()
        steps = slice(*self.step_starts[index : index + 2].tolist())
        ends, prompt = self.ends[steps], int(self.prompt_tokens[index])
        lengths = np.diff(ends, prepend=np.int32(prompt - 1))
        positions = np.arange(stop - start, dtype=np.int32)
        positions[prompt:] += np.repeat(self.depths[steps] - (ends + 1 - lengths), lengths)
        until = np.full(stop - start, stop - start, dtype=np.int32)
        until[prompt:] = np.repeat(self.untils[steps], lengths)
        return TokenRow(
            ids=self.ids[start:stop],
            positions=positions,
            until=until,
            ends=ends,
            labels=self.labels[steps],
            weights=self.weights[steps],
            problems=(self.names[int(self.problems[index])],),
        )

    def __iter__(self) -> Iterator[TokenRow]:
        return (self[index] for index in range(len(self)))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each row, (R,)."""
        return np.diff(self.id_starts)

    @property
    def row_weights(self) -> NDArray[np.float64]:
        """The summed weight of the labels of each row, (R,)."""
        if not len(self):
            return np.zeros(0)
        known = np.where(np.isnan(self.labels), 0.0, self.weights)
        return np.add.reduceat(known, self.step_starts[:-1])

    def with_labels(self, labels: NDArray[Any], weights: NDArray[Any]) -> "RowTable":
        """The same rows with other labels and weights."""
        return replace(self, labels=labels, weights=weights)


def joined(rows: Sequence[TokenRow]) -> TokenRow:
    """Rows as one sequence, in which each sees itself alone."""
    if len(rows) == 1:
        return rows[0]
    starts = np.cumsum([0, *(len(row.ids) for row in rows[:-1])], dtype=np.int32)
    return TokenRow(
        ids=np.concatenate([row.ids for row in rows]),
        positions=np.concatenate([row.positions for row in rows]),
        until=np.concatenate([row.until + start for start, row in zip(starts, rows, strict=True)]),
        ends=np.concatenate([row.ends + start for start, row in zip(starts, rows, strict=True)]),
        labels=np.concatenate([row.labels for row in rows]),
        weights=np.concatenate([row.weights for row in rows]),
        problems=tuple(dict.fromkeys(problem for row in rows for problem in row.problems)),
    )
