"""The intake of a file of samples: rows put together by problem, ids made unique, bad rows set aside, all counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from prmkit.errors import InputError
from prmkit.evaluate.solutions import Solutions
from prmkit.run.results import Figures
from prmkit.sources.corpus import QUARANTINED_TEXT
from prmkit.tree import Problem

_SHOWN = 20
"""Bad rows and notes that a result shows; the quarantine has all."""


class BadRow(Figures):
    """A row that was set aside: its place, and its fault."""

    where: str
    error: str


class RowsRecord(Figures):
    """What became of the rows of a file of samples: read = used + quarantined + repeated.

    Attributes:
        read: rows of the file.
        quarantined: of these, how many were set aside.
        repeated: rows that repeat the samples of another, as under each filter of lm-evaluation-harness.
        bad: the first of those that were set aside.
        notes: what else a user must know: problems of a benchmark without samples, and the first new ids.
    """

    read: int
    quarantined: int
    repeated: int
    bad: list[BadRow]
    notes: list[str]

    def warnings(self) -> Iterator[str]:
        """What a user must know of the rows: how many were set aside, why the first one was, and the notes."""
        if self.bad:
            count = f"{self.quarantined} of {self.read}"
            yield f"{count} rows are set aside in quarantine.jsonl: {self.bad[0].where}: {self.bad[0].error}"
        yield from self.notes


@dataclass(slots=True)
class Intake:
    """The solutions of each problem as far as the rows of a file have been read, and what became of the rows.

    Attributes:
        read: how many rows there were.
        bad: those that were set aside, each with ``where``, ``error`` and ``row``.
        notes: a sentence for each second problem of one id, and one for the problems of a benchmark without samples.
        repeated: rows that repeat the samples of another.
    """

    read: int = 0
    bad: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    repeated: int = 0
    _rows: list[Solutions] = field(default_factory=list)
    _again: dict[Problem, str] = field(default_factory=dict)
    _found: dict[Problem, Solutions] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _problems: dict[Problem, Problem] = field(default_factory=dict)

    @property
    def solutions(self) -> list[Solutions]:
        """Of each problem, in the order of the file."""
        return list(self._found.values())

    def record(self) -> RowsRecord:
        """What became of the rows, for the result of an evaluation."""
        return RowsRecord(
            read=self.read,
            quarantined=len(self.bad),
            repeated=self.repeated,
            bad=[
                BadRow(where=row["where"], error=row["error"].removeprefix(f"{row['where']}: "))
                for row in self.bad[:_SHOWN]
            ],
            notes=self.notes[:_SHOWN],
        )

    def add(self, given: Solutions, again: str = "") -> None:
        """Take the solutions of a row; of those that stand ``again`` under another value, only the first count."""
        if again and self._again.setdefault(given.problem, again) != again:
            self.repeated += 1
        else:
            # The rows of a problem share it, of which there may be hundreds.
            self._rows.append(replace(given, problem=self._problems.setdefault(given.problem, given.problem)))

    def set_aside(self, where: str, error: InputError, row: str = "") -> None:
        """Keep a bad row with its fault."""
        self.bad.append({"where": where, "error": str(error), "row": row[:QUARANTINED_TEXT]})

    def settle(self) -> None:
        """Put the rows of each problem together, when all are there.

        Scores are for all or for none: rows that differ in it from most others are set aside.
        """
        counts = Counter(map(_scored, self._rows))
        scored = counts[True] >= counts[False]
        what = "a row has no scores, and others have" if scored else "a row has scores, and most have none"
        kept: dict[Problem, list[Solutions]] = {}
        for given in self._rows:
            try:
                if _scored(given) != scored:
                    raise InputError(what, where=given.where, expected="scores for all or for none")
                if given.problem in kept:
                    _refuse_apart(kept[given.problem][0], given)
                    kept[given.problem].append(given)
                else:
                    kept[given.problem] = [self._named(given)]
            except InputError as error:
                self.set_aside(given.where, error)
        self._rows = []
        self._found = {problem: _together(rows) for problem, rows in kept.items()}

    def _named(self, given: Solutions) -> Solutions:
        """With an id that no other problem has."""
        name, number = given.problem.id, self._numbers.get(given.problem.id, 2)
        while name in self._names:
            name, number = f"{given.problem.id}#{number}", number + 1
        self._numbers[given.problem.id] = number
        if name != given.problem.id:
            first = self._names[given.problem.id]
            self.notes.append(f"{given.where}: another problem than that of {first} has its id; it is {name!r} here")
        self._names[name] = given.where
        return replace(given, problem=replace(given.problem, id=name))


def _scored(solutions: Solutions) -> bool:
    return all(each.has_score for each in solutions.solutions)


def _refuse_apart(one: Solutions, other: Solutions) -> None:
    """Raises InputError unless both rows of a problem have verdicts, or none has."""
    if (one.verdicts is None) != (other.verdicts is None):
        what = "one of two rows of a problem has verdicts"
        raise InputError(what, where=other.where, expected=f"both or none, as {one.where}")


def _together(rows: Sequence[Solutions]) -> Solutions:
    """The solutions of all rows of a problem, under what the first one says of it."""
    if len(rows) == 1:
        return rows[0]
    verdicts = [row.verdicts for row in rows if row.verdicts is not None]
    return replace(
        rows[0],
        solutions=tuple(chain.from_iterable(row.solutions for row in rows)),
        verdicts=tuple(chain.from_iterable(verdicts)) if verdicts else None,
    )
