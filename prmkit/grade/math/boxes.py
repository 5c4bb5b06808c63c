r"""The boxed answers of a solution: ``\boxed{...}`` and its like."""

import re
from collections.abc import Iterator

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


def boxed(text: str) -> str | None:
    """The content of the last complete box that is an answer."""
    contents = (content.strip().rstrip(".,").strip() for content in _boxes(text))
    return next((content for content in contents if not is_placeholder(content)), None)


def is_placeholder(content: str) -> bool:
    """Whether a text stands where an answer would stand, and is none: nothing, dots, ``your answer``."""
    return len(content) <= _LONGEST_PLACEHOLDER and _NO_ANSWER.fullmatch(content) is not None


def _boxes(text: str) -> Iterator[str]:
    """Contents of complete boxes without another in them, the last first: braces are matched in one pass."""
    first = _NAME.search(text)
    if first is None:
        return
    found = []
    open_braces: list[re.Match[str] | None] = []  # None for a brace that opens no box
    for token in _TOKEN.finditer(text, max(0, first.start() - 2)):  # with its backslashes
        if token["bare"]:
            found.append((*token.span(), *token.span("bare")))
        elif token["opening"]:
            open_braces.append(token)
        elif token[0] == "{":
            open_braces.append(None)
        elif token[0] == "}" and open_braces and (opening := open_braces.pop()):
            found.append((opening.start(), token.end(), opening.end(), token.start()))
    inner = len(text)
    for start, end, *content in sorted(found, reverse=True):
        if end <= inner:
            yield text[slice(*content)]
        inner = start
