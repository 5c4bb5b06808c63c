r"""The boxed answers of a solution: ``\boxed{...}`` and its like."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_NAME = re.compile("boxed|fbox|framebox")
_TOKEN = re.compile(
    r"""
    (?P<opening> (?: \\{1,2} | (?<![\\A-Za-z]) ) (?:boxed|fbox|framebox) \s{0,9} \{ )
    # Without braces a box holds one word of math: a number, or what ends its formula.
    | \\(?:boxed|fbox) \s{0,9} (?P<bare> [-+]?\d[\d.,/]* | [^\s{}$\\]{1,40} (?= \$ | \\\) | \\\]) )
    | \\.    # an escaped brace does not nest
    | [{}]
    """,
    re.VERBOSE | re.DOTALL,
)
_NO_ANSWER = re.compile(
    r"""
    (?: \\text\w{0,2}\{ | \\phantom\{ | [\s\[<{(~] | \\[ ,;!:] | \\q?quad )*
    (?: \.{2,} | … | \\(?:[lc]?dots|square) | \?+ | _+ | [0x]{2,}\}
      | (?:(?:insert|put|your|the|my|an|final|correct|exact|numerical|numeric)(?:[ ]|\\?_))*
        (?:answer|result|solution|value|number|expression) (?:(?:[ ]|\\?_)here)?
    )?
    [\s\]>})~.]*
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LONGEST_PLACEHOLDER = 60
# What stands between the boxes of one answer: \boxed{1} and $\boxed{2}$, x = \boxed{1} or x = \boxed{2}.
_JOINT = re.compile(
    r"""
    (?: \s | [$,;&{}] | \\[()\[\],; ] | \\(?:q?quad|text|mbox|mathrm)(?![a-z]) | \b(?:and|or)\b
      | [a-zA-Z] (?:_\{?\w{1,9}\}?)? \s* = )*
    """,
    re.VERBOSE,
)
_LONGEST_JOINT = 60


@dataclass(frozen=True, slots=True)
class _Box:
    """A complete box: where it begins, where its content begins and ends, and where it ends."""

    start: int
    opened: int
    closed: int
    end: int


def boxed(text: str) -> str | None:
    """The content of the last complete box that is an answer; with commas, of all that one sentence joins with it."""
    found: list[str] = []
    later: _Box | None = None
    for box in _boxes(text):
        content = text[box.opened : box.closed].strip().rstrip(".,").strip()
        if is_placeholder(content):
            continue
        if later is not None and not _are_joined(text, box, later):
            break
        found.append(content)
        later = box
    return ", ".join(reversed(found)) or None


def is_placeholder(content: str) -> bool:
    """Whether a text stands where an answer would stand, and is none: nothing, dots, ``your answer``."""
    return len(content) <= _LONGEST_PLACEHOLDER and _NO_ANSWER.fullmatch(content) is not None


def _are_joined(text: str, box: _Box, later: _Box) -> bool:
    if later.start - box.end > _LONGEST_JOINT:
        return False
    between = text[box.end : later.start]
    # A bare "or" mostly stands between two forms of one answer: \boxed{0.5} or \boxed{\frac12}.
    joint = r"=" if re.search(r"\bor\b", between) else r"[,;]|\band\b"
    return _JOINT.fullmatch(between) is not None and re.search(joint, between) is not None


def _boxes(text: str) -> Iterator[_Box]:
    """Complete boxes without another in them, the last first: the braces are matched in one pass over the text."""
    first = _NAME.search(text)
    if first is None:
        return
    found = []
    open_braces: list[re.Match[str] | None] = []  # None for a brace that opens no box
    for token in _TOKEN.finditer(text, max(0, first.start() - 2)):  # with its backslashes
        if token["bare"]:
            found.append(_Box(token.start(), *token.span("bare"), token.end()))
        elif token["opening"]:
            open_braces.append(token)
        elif token[0] == "{":
            open_braces.append(None)
        elif token[0] == "}" and open_braces and (opening := open_braces.pop()):
            found.append(_Box(opening.start(), opening.end(), token.start(), token.end()))
    inner = len(text)
    for box in sorted(found, key=lambda box: -box.start):
        if box.end <= inner:
            yield box
        inner = box.start
