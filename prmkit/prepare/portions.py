"""Rows of a corpus to token rows, portion by portion, in this process or in several."""

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from prmkit.packing.encode import StepEncoder
from prmkit.packing.rows import EncodedTrees, RowShape, encode_trees
from prmkit.prepare.workers import Workers
from prmkit.row_files import Meter, RawRow
from prmkit.rows_io import rows_at
from prmkit.sources.corpus import Corpus

_ROWS = 500
_BYTES = 1 << 20
"""A portion has no more of either: enough for its start to cost nothing, and little memory."""

_SMALL = 8
"""Portions that this process works on alone: other ones take seconds to start."""

_MOST_WORKERS = 32


@dataclass(frozen=True, slots=True)
class RawPortion:
    """Some neighbouring rows of a corpus, and how many bytes of its files lie before their end (see Meter)."""

    rows: Sequence[RawRow]
    read: int


@dataclass(frozen=True, slots=True)
class Portion:
    """What was read of such rows, what they became, and how many bytes lie before their end."""

    part: Corpus
    encoded: EncodedTrees
    read: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """How portions are made. It is sent to the worker processes once."""

    corpus: Corpus
    revision: str | None
    encoder: StepEncoder
    shape: RowShape

    def __call__(self, raw: RawPortion, limit: int | None = None) -> Portion:
        """The portion of some rows, or of the first of them that make ``limit`` trees."""
        part = self.corpus.part(limit)
        trees = list(part.read(raw.rows))
        return Portion(part, encode_trees(trees, self.encoder, self.shape), raw.read)


def portions(encoding: Encoding) -> Iterator[Portion]:
    """All portions of a corpus in their order. The corpus counts what was read of it.

    Raises:
        InputError: as reading the corpus does.
        RunError: a worker process died.
    """
    corpus = encoding.corpus
    for raw, portion in _made(encoding):
        room = corpus.room
        if room is not None and portion.part.counts.kept > room:
            portion = encoding(raw, room)
        corpus.add(portion.part)
        yield portion
        if corpus.full:
            return
    corpus.end()


def _made(encoding: Encoding) -> Iterator[tuple[RawPortion, Portion]]:
    meter = Meter()
    cut = _cut(rows_at(encoding.corpus.path, meter, revision=encoding.revision), meter)
    first = list(itertools.islice(cut, _SMALL))
    count = min(_cores(), _MOST_WORKERS)
    if len(first) < _SMALL or count == 1:
        yield from ((raw, encoding(raw)) for raw in itertools.chain(first, cut))
        return
    with Workers(encoding, count) as workers:
        yield from workers.in_order(itertools.chain(first, cut))


def _cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cut(rows: Iterable[RawRow], meter: Meter) -> Iterator[RawPortion]:
    portion: list[RawRow] = []
    size = 0
    for row in rows:
        portion.append(row)
        size += len(row.content) if isinstance(row.content, bytes) else 0
        if len(portion) == _ROWS or size >= _BYTES:
            yield RawPortion(portion, meter.read)
            portion, size = [], 0
    if portion:
        yield RawPortion(portion, meter.read)
