"""Problems of a corpus that are those of a benchmark, or nearly: what a test must not have been trained on."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from prmkit.errors import InputError
from prmkit.sources.seen import Seen, digest
from prmkit.tree import Problem

_WORD = re.compile(r"\w+")


_NONE = 0
"""The place of no match."""


class Match(NamedTuple):
    """Why a problem is contaminated: the benchmark's problem, how they match, and the words that both have."""

    benchmark: str
    problem: str
    how: str
    text: str


class Benchmarks:
    """The problems that must not be met again.

    Two problems match exactly if their words are the same, whatever the case and the signs between them, and by n-gram
    if ``n`` words in a row occur in both; a problem of fewer words matches exactly or not at all.

    Args:
        problems: of benchmarks, each with the benchmark's name.
        n: of the n-grams.

    Source: Brown et al. 2020, arXiv 2005.14165, appendix C (13-grams).

    Raises:
        InputError: there is no problem, or ``n`` is not positive.
    """

    def __init__(self, problems: Iterable[tuple[str, Problem]], n: int = 13) -> None:
        if n < 1:
            raise InputError("illegal n-gram", got=n, expected="at least one word")
        self._exact: dict[tuple[str, ...], tuple[str, str]] = {}
        self._grams: dict[tuple[str, ...], tuple[str, str]] = {}
        self._n = n
        self._found = Seen()
        self._matches: list[Match | None] = [None]
        for benchmark, problem in problems:
            text = _words(problem.prompt)
            self._exact.setdefault(text, (benchmark, problem.id))
            for gram in _grams(text, n):
                self._grams.setdefault(gram, (benchmark, problem.id))
        if not self._exact:
            raise InputError("no benchmark to compare with", expected="at least one problem")

    def match(self, problem: Problem) -> Match | None:
        """The benchmark's problem that this one is or repeats, if there is one.

        What was found is kept, since a corpus has many solutions of a problem: some 50 bytes a problem, and matches.
        """
        key = digest(problem.prompt)
        found = self._found.get(key)
        if found is None:
            found = _NONE
            if match := self._compare(problem):
                found = len(self._matches)
                self._matches.append(match)
            self._found.before(key, found)
        return self._matches[found]

    def _compare(self, problem: Problem) -> Match | None:
        text = _words(problem.prompt)
        if text in self._exact:
            return Match(*self._exact[text], "exact", " ".join(text))
        for gram in _grams(text, self._n):
            if gram in self._grams:
                return Match(*self._grams[gram], f"{self._n}-gram", " ".join(gram))
        return None


def _words(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def _grams(words: tuple[str, ...], n: int) -> Iterator[tuple[str, ...]]:
    return (words[start : start + n] for start in range(len(words) - n + 1))
