"""Verdicts of a judge: yes or no in its answer, and how likely each of them was."""

import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from prmkit.generate.likely import Likely

_VERDICT = re.compile(r"\\boxed\{\s*(yes|no)\s*\}", re.IGNORECASE)


class VerdictPlace(NamedTuple):
    """Where the word of a verdict begins: in which token, and what of that token stands in front of it."""

    token: int
    lead: str


def verdict_in(answer: str) -> bool | None:
    """Whether the last verdict in an answer is yes; None where there is none."""
    found = _VERDICT.findall(answer)
    return found[-1].lower() == "yes" if found else None


def place_of_verdict(pieces: Sequence[str]) -> VerdictPlace | None:
    """The place of the last verdict in a text that comes token by token."""
    ends = list(accumulate(map(len, pieces)))
    text = "".join(pieces)
    starts = [match.start(1) for match in _VERDICT.finditer(text)]
    if not starts:
        return None
    token = bisect_right(ends, starts[-1])
    begin = ends[token] - len(pieces[token])
    return VerdictPlace(token, text[begin : starts[-1]])


def probability_of_yes(tokens: Iterable[Likely], lead: str) -> float | None:
    """The probability of yes against no among the likeliest tokens at a verdict, in [0, 1].

    A token speaks for a word that it begins, or that begins with it, whatever its case and the blanks around. What is
    not among the likeliest counts as impossible; None where neither word is.

    Args:
        tokens: the likeliest ones.
        lead: text in front of the word that belongs to its first token, such as an opening brace.
    """
    mass = {"yes": 0.0, "no": 0.0}
    for text, logprob in tokens:
        start = text.removeprefix(lead).strip().lower() if text.startswith(lead) else ""
        for word in mass:
            if start and (word.startswith(start) or start.startswith(word)):
                mass[word] += math.exp(logprob)
    total = mass["yes"] + mass["no"]
    return mass["yes"] / total if total else None
