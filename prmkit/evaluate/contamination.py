"""Which test problems a training corpus has seen: the same text, or long runs of the same words.

Source: runs of 13 words, as in Brown et al. 2020 (arXiv 2005.14165, appendix C); shorter problems must match whole.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prmkit.errors import InputError
from prmkit.run.results import Figures
from prmkit.tree import Problem

RUN = 13
"""Words of a run."""
SUSPECT = 0.5
"""The share of a problem's runs from which on it counts as seen."""
_WORD = re.compile(r"\\?[a-z]+|\d+(?:\.\d+)?|[^\s\w]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """A test problem and the share of its text, in [0, 1], that the corpus holds in runs of words; 1 if all."""

    problem_id: str
    share: float
    seen_in: str

    @property
    def contaminated(self) -> bool:
        """Whether the problem counts as seen."""
        return self.share >= SUSPECT


class SeenProblem(Figures):
    """A problem of which a corpus holds the ``share`` of its text; most of it stands in the problem ``seen_in``."""

    id: str
    share: float
    seen_in: str


class Contamination(Figures):
    """The problems that a training corpus has seen: how many count as seen, of how many, and all that share a run."""

    corpus: str
    seen: int
    of: int
    problems: list[SeenProblem]


def contamination(problems: Sequence[Problem], corpus: Iterable[tuple[str, str]], name: str) -> Contamination:
    """Which problems a corpus, called ``name``, has seen. Raises InputError as ``overlaps``."""
    found = overlaps(problems, corpus)
    return Contamination(
        corpus=name,
        seen=sum(each.contaminated for each in found),
        of=len(problems),
        problems=[SeenProblem(id=each.problem_id, share=each.share, seen_in=each.seen_in) for each in found],
    )


def overlaps(problems: Sequence[Problem], corpus: Iterable[tuple[str, str]]) -> list[Overlap]:
    """The problems that share a run of words with the corpus, in order.

    Args:
        problems: of the test set.
        corpus: (name, text) of each problem of the training corpus, read once; nothing of it is kept.

    Raises:
        InputError: a problem has no word.
    """
    runs: dict[tuple[str, ...], set[int]] = defaultdict(set)
    wanted: list[set[tuple[str, ...]]] = []
    for index, problem in enumerate(problems):
        mine = _runs(problem.prompt)
        if not mine:
            raise InputError("the problem has no words", where=problem.id, got=problem.prompt)
        wanted.append(mine)
        for run in mine:
            runs[run].add(index)
    lengths = {len(run) for run in runs}
    found: list[set[tuple[str, ...]]] = [set() for _ in problems]
    most: list[tuple[int, str]] = [(0, "")] * len(problems)
    for name, text in corpus:
        counts: dict[int, set[tuple[str, ...]]] = defaultdict(set)
        for run in _runs_of_lengths(text, lengths):
            for index in runs.get(run, ()):
                counts[index].add(run)
        for index, hit in counts.items():
            found[index] |= hit
            most[index] = max(most[index], (len(hit), name))
    return [
        Overlap(problem_id=problem.id, share=len(found[index]) / len(wanted[index]), seen_in=most[index][1])
        for index, problem in enumerate(problems)
        if found[index]
    ]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _runs(text: str) -> set[tuple[str, ...]]:
    """The runs of a text; of a short one, the whole text with its ends marked, so that only the same text matches."""
    words = _words(text)
    if len(words) >= RUN:
        return {tuple(words[start : start + RUN]) for start in range(len(words) - RUN + 1)}
    return {("", *words, "")} if words else set()


def _runs_of_lengths(text: str, lengths: set[int]) -> Iterable[tuple[str, ...]]:
    words = _words(text)
    if len(words) < RUN:
        yield ("", *words, "")
    elif RUN in lengths:
        for start in range(len(words) - RUN + 1):
            yield tuple(words[start : start + RUN])
