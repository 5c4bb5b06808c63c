"""Which problem of a benchmark a row of samples means."""

from collections import Counter
from collections.abc import Iterator, Sequence

from prmkit.columns import id_of, problem_text
from prmkit.errors import InputError
from prmkit.rows_io import Fields
from prmkit.tree import Problem


class Named:
    """The problems of a benchmark by their ids, by the short forms of these, and by their texts.

    ``livecodebench/abc300_a`` is ``abc300_a`` too, ``Mbpp/2`` and ``gsm8k-test-2`` are 2, where no other problem is. A
    row that has a short form and a text must have the problem's text.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self._by_id = {problem.id: problem for problem in problems}
        shorts = Counter(short for problem in problems for short in _short_forms(problem.id))
        self._by_short = {
            short: problem for problem in problems for short in _short_forms(problem.id) if shorts[short] == 1
        }
        texts = Counter(_words(problem.prompt) for problem in problems)
        self._by_text = {_words(problem.prompt): problem for problem in problems if texts[_words(problem.prompt)] == 1}

    def __bool__(self) -> bool:
        return bool(self._by_id)

    def find(self, row: Fields, where: str) -> Problem:
        """The problem of a row.

        Raises:
            InputError: it names none, or not by one thing alone.
        """
        name, text = id_of(row), problem_text(row)
        if name is not None and name in self._by_id:
            return self._by_id[name]
        found = self._by_text.get(_words(text)) if text is not None else None
        if found is not None:
            return found
        if name is None:
            raise InputError("the row names no problem", where=where, got=sorted(row), expected="the id of one as id")
        short = self._by_short.get(name)
        if short is None:
            raise InputError("the benchmark has no such problem", where=where, got=name, expected="the id of a problem")
        if text is not None and _words(short.prompt) not in _words(text) and _words(text) not in _words(short.prompt):
            raise InputError(f"the benchmark's {short.id} is another problem", where=where, got=text)
        return short


def _short_forms(name: str) -> Iterator[str]:
    behind = name.rpartition("/")[2]
    if behind != name:
        yield behind
    number = behind.rpartition("-")[2]
    if number != behind and number.isdecimal():
        yield number


def _words(text: str) -> str:
    return " ".join(text.split())
