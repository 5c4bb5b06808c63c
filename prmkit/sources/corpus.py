"""The reading of a corpus: its rows to trees by its source, with an account of what became of them."""

import copy
import inspect
import logging
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prmkit.errors import InputError, PrmkitError, RunError
from prmkit.row_files import RawRow
from prmkit.rows_io import rows_at
from prmkit.run.results import Figures
from prmkit.sources import SOURCES, Source, Unusable
from prmkit.sources.reading import Reading, reading
from prmkit.sources.shape import depth, up_to_first_error
from prmkit.tree import StepTree
from prmkit.trees_io import record_file

_LOG = logging.getLogger(__name__)

_HOPELESS = 1000
"""Bad rows after which their share is looked at before the end of the file."""

_ROWS_BETWEEN_NOTES = 64
"""So few that the first one comes at once, so many that nobody waits for them."""

QUARANTINED_TEXT = 10_000
"""Characters of a bad row that are kept; its place leads to the rest."""

_MOST_TEXTS = 10_000
"""Bad rows after which only their places and faults are kept: somebody named the wrong source of a large corpus."""


@dataclass(slots=True)
class Counts:
    """What became of the rows: read = kept + quarantined + filtered. Nodes and labelled nodes are of the kept trees."""

    read: int = 0
    kept: int = 0
    quarantined: int = 0
    filtered: int = 0
    nodes: int = 0
    labelled: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counts as JSON."""
        return asdict(self)


class CorpusRecord(Figures):
    """What was read of a corpus and how: its counts (see Counts), and every option with the value it had."""

    read: int
    kept: int
    quarantined: int
    filtered: int
    nodes: int
    labelled: int
    source: str
    path: str
    options: dict[str, Any]


class Corpus:
    """The trees of a corpus, read as they are asked for.

    ``counts`` and ``bad`` (the bad rows, with their places and faults) are complete when the last tree has been read.

    Args:
        name: a name in SOURCES, or ``my_package.module:source``.
        path: a local .jsonl, .jsonl.gz or .json file, a folder of them, or ``hub:org/name[:split]``.
        options: what the source takes besides.
        limit: stop after so many trees.
        max_bad: the share of bad rows above which the corpus is refused.
        stop_at_first_error: leave out the steps that follow a wrong one.
        min_steps: leave out trees whose longest solution has fewer steps.

    Raises:
        InputError: unknown source or option; while reading: no such file, a file that is no JSON, no row at all, or
            more bad rows than ``max_bad`` (the first one is shown).
        RunError: while reading: the source failed otherwise.
    """

    def __init__(
        self,
        name: str,
        path: str,
        *,
        options: Mapping[str, Any] | None = None,
        limit: int | None = None,
        max_bad: float = 0.01,
        stop_at_first_error: bool = False,
        min_steps: int = 0,
    ) -> None:
        self.counts: Counts
        self.bad: list[dict[str, str]]
        self._faults: list[str]
        self._forget()
        self.name, self.path = name, path
        self._limit, self._max_bad = limit, max_bad
        self._stop_at_first_error, self._min_steps = stop_at_first_error, min_steps
        self._source: Source = SOURCES.load(name)
        self._options = _checked_options(name, self._source, options or {})

    def __getstate__(self) -> dict[str, Any]:
        """All but the source, which any process finds by its name: not every function can be sent to another one."""
        return {name: value for name, value in self.__dict__.items() if name != "_source"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _source=SOURCES.load(state["name"]))

    @property
    def reader(self) -> Source:
        """What turns its rows into trees."""
        return self._source

    def choices(self) -> dict[str, Any]:
        """What was chosen of it, beside its name and its path."""
        return {
            "options": dict(self._options),
            "limit": self._limit,
            "max_bad": self._max_bad,
            "stop_at_first_error": self._stop_at_first_error,
            "min_steps": self._min_steps,
        }

    def record(self) -> CorpusRecord:
        """What was read and how, for the record of a run."""
        return CorpusRecord(**self.counts.as_dict(), source=self.name, path=self.path, options=dict(self._options))

    def __iter__(self) -> Iterator[StepTree]:
        """Read from the beginning, and say so to who watches (run.activity) until the last tree or ``close``."""
        self._forget()
        with reading(self.path) as progress:
            yield from self.read(self._noted(rows_at(self.path, progress.meter), progress))
        self.end()

    def _noted(self, rows: Iterable[RawRow], progress: Reading) -> Iterator[RawRow]:
        """The rows, of which one in some is told."""
        counts = self.counts
        for raw in rows:
            if not counts.read % _ROWS_BETWEEN_NOTES:
                progress.note(counts.read, counts.quarantined)
            yield raw

    def read(self, rows: Iterable[RawRow]) -> Iterator[StepTree]:
        """The trees of some rows, which are counted with those before them; none beyond ``limit``."""
        for raw in rows:
            tree = self._tree(raw)
            if tree is not None:
                yield tree
            if self.full:
                break
            if len(self._faults) > _HOPELESS:
                self.refuse_bad(self._max_bad)

    @property
    def full(self) -> bool:
        """Whether ``limit`` is reached."""
        return self.room == 0

    @property
    def room(self) -> int | None:
        """How many more trees there may be; None where there is no limit."""
        return None if self._limit is None else self._limit - self.counts.kept

    def end(self) -> None:
        """Look back when the last row has been read.

        Raises:
            InputError: there was none, or more bad ones than ``max_bad``.
        """
        self.refuse_bad(self._max_bad)
        if not self.counts.read:
            raise InputError("the file holds no row", where=self.path, expected="one row a line, or a JSON array")

    def part(self, limit: int | None = None) -> "Corpus":
        """The same corpus of which nothing has been read, to read some of its rows elsewhere (see ``add``)."""
        part = copy.copy(self)
        part._forget()
        part._limit, part._max_bad = limit, 1.0
        return part

    def add(self, part: "Corpus") -> None:
        """Count what a part has read.

        Raises:
            InputError: so many rows are bad by now that the others need not be read.
        """
        for name, count in part.counts.as_dict().items():
            setattr(self.counts, name, getattr(self.counts, name) + count)
        self.bad += part.bad
        self._faults += part._faults
        if len(self._faults) > _HOPELESS:
            self.refuse_bad(self._max_bad)

    def _forget(self) -> None:
        self.counts, self.bad, self._faults = Counts(), [], []

    def _tree(self, raw: RawRow) -> StepTree | None:
        counts = self.counts
        counts.read += 1
        try:
            tree = self._source(raw.parse(), raw.where, **self._options)
        except InputError as error:
            counts.quarantined += 1
            text = raw.text()[:QUARANTINED_TEXT] if len(self.bad) < _MOST_TEXTS else ""
            self.bad.append({"where": raw.where, "error": str(error), "row": text})
            if not isinstance(error, Unusable):
                self._faults.append(_placed(self.bad[-1]))
            return None
        except PrmkitError:
            raise
        except Exception as error:  # a fault of the source, which may be somebody else's
            raise RunError(f"{raw.where}: the source {self.name} failed with {_fault(error)}") from error
        if tree is not None and self._stop_at_first_error:
            tree = up_to_first_error(tree)
        if tree is None or (self._min_steps and depth(tree) < self._min_steps):
            counts.filtered += 1
            return None
        counts.kept += 1
        counts.nodes += len(tree)
        counts.labelled += sum([node.label is not None for node in tree.nodes])
        return tree

    def refuse_bad(self, max_bad: float) -> None:
        """Raise InputError, with the first bad row, if more than this share of what was read is bad."""
        bad, read = len(self._faults), self.counts.read
        if bad > max_bad * read:
            raise InputError(f"{self._faults[0]} ({bad} of {read} rows are bad, {max_bad:.0%} may be)")


def write_quarantine(path: Path, corpora: Sequence[Corpus]) -> bool:
    """Write the bad rows of corpora that have been read, as ``write_bad`` does.

    A warning says how many there are, and why the first one is.

    Returns:
        Whether there is any.
    """
    any_bad = write_bad(path, [row for corpus in corpora for row in corpus.bad])
    for corpus in corpora:
        if corpus.bad:
            counts, first = corpus.counts, _placed(corpus.bad[0])
            _LOG.warning("%d of %d rows are set aside in %s: %s", counts.quarantined, counts.read, path, first)
    return any_bad


def write_bad(path: Path, bad: Sequence[dict[str, str]]) -> bool:
    """Write bad rows, in the place of those of an earlier run; no file for none.

    Returns:
        Whether there is any.
    """
    if not bad:
        path.unlink(missing_ok=True)
        return False
    with record_file(path, overwrite=True) as file:
        for row in bad:
            file.write(row)
    return True


def _fault(error: Exception) -> str:
    """What was raised, and by which line."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    file = Path(frame.f_code.co_filename).name
    return f"{''.join(traceback.format_exception_only(error)).strip()} ({file}:{line})"


def _placed(bad: Mapping[str, str]) -> str:
    where, error = bad["where"], bad["error"]
    return error if error.startswith(where) else f"{where}: {error}"


def _checked_options(name: str, source: Source, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a source with their values; those not given have their defaults."""
    try:
        bound = inspect.signature(source).bind({}, "", **options)
    except TypeError as error:
        known = list(inspect.signature(source).parameters)[2:]
        raise InputError(
            f"wrong options for source {name} ({error})", got=dict(options), expected=", ".join(known) or "none"
        ) from None
    bound.apply_defaults()
    return dict(list(bound.arguments.items())[2:])
