"""What a step keeps whole: fenced blocks, LaTeX environments and displayed formulas, as far as they are written.

A block may never be closed, by mistake or by a text that only mentions how one begins. It is then open to the end of
the text, but holds ends of steps back for no longer than ``LONGEST`` characters.
"""

import math
import re
from collections.abc import Iterator

LONGEST = 10_000
"""From the first end of a step that is held back, so many characters on, ends are held back no more. Some 3,000 tokens:
programs and formulas are shorter, and a thought that loses its way is cut all the same."""

_OPENING = re.compile(
    r"""
      ^[ ]{0,3}(?: (?P<ticks>`{3,}+)[^`\n]*+ | (?P<tildes>~{3,}+)[^\n]*+ )\n
    | \\begin\{(?P<environment>[A-Za-z]++\*?)\}
    | (?<!\\)(?P<bracket>\\\[)
    | ^[ \t]*+(?P<dollars>\$\$)
    | (?<!\\)\$\$[^\n]*?\$\$                    # within a line: it is closed as soon as it is opened
    | (?<!\\)(?P<last_dollars>\$\$)[ \t\r]*+\n
    """,
    re.VERBOSE | re.MULTILINE,
)
_FENCE = re.compile(r"^ {0,3}(?:(`{3,}+)[^`\n]*+|(~{3,}+)[^\n]*+)\n", re.MULTILINE)
_BARE_FENCE = re.compile(r"^ {0,3}(`{3,}+|~{3,}+)[ \t\r]*+\n", re.MULTILINE)
_ENVIRONMENT = re.compile(r"\\(begin|end)\{([A-Za-z]++\*?)\}")
_BRACKET = re.compile(r"(?<!\\)\\\]")
_DOLLARS = re.compile(r"(?<!\\)\$\$")


class Blocks:
    """The blocks of a text. Only what stands before a place decides whether it is in one.

    * A fenced block: from a line of three or more ` or ~, with up to three blanks before them and perhaps words behind,
      to a line of at least as many of the same. Source: CommonMark 0.31, section 4.5.
    * ``\\begin{NAME}`` to its ``\\end{NAME}``, ``\\[`` to ``\\]``, and ``$$`` to ``$$`` where the first one begins or
      ends a line.

    What stands in a block opens none.
    """

    def __init__(self, text: str) -> None:
        self._spans = _spans(text)
        self._span = next(self._spans, None)

    def open_at(self, place: int) -> bool:
        """Whether a block is open at a place. Places are asked for in ascending order."""
        while self._span is not None and self._span[1] <= place:
            self._span = next(self._spans, None)
        return self._span is not None and self._span[0] <= place


class Hold:
    """Holds ends of steps back, but not for ever."""

    def __init__(self) -> None:
        self._since: int | None = None

    def back(self, place: int) -> bool:
        """Whether an end at this place, which would cut what belongs together, is held back."""
        self._since = place if self._since is None else self._since
        return place - self._since <= LONGEST


def fence_from(text: str, at: int) -> re.Match[str] | None:
    """The first line from ``at`` on that can open a fenced block, with its line break."""
    return _FENCE.search(text, at)


def is_bare(fence: re.Match[str]) -> bool:
    """Whether a line can also close a fenced block: nothing stands behind its fence."""
    return _BARE_FENCE.match(fence.string, fence.start()) is not None


def fence_closing(text: str, mark: str, at: int) -> re.Match[str] | None:
    """The first line from ``at`` on that closes a fenced block which ``mark`` opened, with its line break."""
    fences = _BARE_FENCE.finditer(text, at)
    return next((each for each in fences if each[1].startswith(mark)), None)


def _spans(text: str) -> Iterator[tuple[int, float]]:
    """Where each block is open: from behind what opens it to behind what closes it, as soon as either is complete."""
    at = 0
    while opening := _OPENING.search(text, at):
        at = opening.end()
        if opening.lastgroup is None:
            continue
        closing = _closing(text, opening)
        yield at, math.inf if closing is None else closing
        if closing is None:
            return
        at = closing


def _closing(text: str, opening: re.Match[str]) -> int | None:
    kind, at = opening.lastgroup, opening.end()
    if kind in ("ticks", "tildes"):
        found = fence_closing(text, opening[kind], at)
    elif kind == "environment":
        return _environment_end(text, opening["environment"], at)
    else:
        found = (_BRACKET if kind == "bracket" else _DOLLARS).search(text, at)
    return None if found is None else found.end()


def _environment_end(text: str, name: str, at: int) -> int | None:
    """Behind the ``\\end`` of an environment; those of the same name may stand in it."""
    depth = 1
    for found in _ENVIRONMENT.finditer(text, at):
        if found[2] == name:
            depth += 1 if found[1] == "begin" else -1
            if depth == 0:
                return found.end()
    return None
