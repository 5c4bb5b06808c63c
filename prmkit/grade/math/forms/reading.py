r"""From the text of an answer to its form.

The rules are tried in the order of ``_RULES``, on the spelling of notation.py. What none of them takes is an
expression, or a text where it holds words.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from prmkit.grade.math.forms import Form, Inner, Text, amounts, groups, relations, words
from prmkit.grade.math.forms.brackets import depth
from prmkit.grade.math.notation import compact, plain

MAX_LENGTH = 5_000
"""Longer answers are compared as text."""
_MAX_DEPTH = 30
"""Deeper brackets are compared as text."""
_MAX_NESTED = 8
"""What lies deeper within parts of parts is not taken apart."""
_LEADING = re.compile(r"^(?:(?:\\approx|\\sim|=|:|about|approximately|roughly|exactly|only)\s*)+(?=\S)", re.IGNORECASE)
_REMARK = re.compile(
    r"(?<=[^\s=(,])\s*\(\s*(?:since|because|as|where|for|when|if|or|approx\w*|rounded|see|in)\s[^()]*\)$|\s+only$"
)
"""5 (since x > 0), I only."""

_RULES: tuple[Callable[[str, Inner], Form | None], ...] = (
    amounts.date,
    amounts.number,
    words.constant,
    amounts.time_of_day,
    amounts.in_base,
    words.choice,
    amounts.compound,
    groups.several,
    relations.relation,
    groups.enclosed,
    groups.ratio,
    groups.plus_minus,
    amounts.quantity,
)


@lru_cache(maxsize=4096)
def read(answer: str) -> Form:
    """The form of an answer. Takes any text; what is long or deep is compared as text."""
    if len(answer) > MAX_LENGTH:
        return Text(answer.strip())
    text = _REMARK.sub("", _LEADING.sub("", plain(answer)))
    return _form(text) if len(text) <= MAX_LENGTH and depth(text) <= _MAX_DEPTH else Text(compact(text))


def _form(text: str, nested: int = 0) -> Form:
    text = text.strip(" ,;")
    if nested <= _MAX_NESTED:
        for rule in _RULES:
            form = rule(text, lambda part: _form(part, nested + 1))
            if form is not None:
                return form
    return words.words_or_expression(text)
