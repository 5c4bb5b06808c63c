"""A step ends behind the separator of the format, but not within a block."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from prmkit.segment import Segmenter
from prmkit.segment.blocks import Blocks, Hold

_LINE_BREAK = re.compile(r"\r\n|\n|\r")


def separator(step_end: str, *, blocks: bool | None = None) -> Segmenter:
    """A step ends right behind ``step_end``. Further line breaks there begin the next step, where they end nothing.

    Args:
        step_end: the separator.
        blocks: keep fenced blocks, LaTeX environments, displayed formulas (see ``Blocks``) and tables whole: a
            separator in them ends no step, as long as that takes no more than ``LONGEST`` characters. By default,
            unless a step is a line: ``step_end`` is a single line break, or holds none.

            Of a Markdown table, lines that begin with ``|`` stay together. A blank line ends it, so a separator that
            holds one is never in it. Otherwise, where ``step_end`` ends a row, whether it was the last one is told by
            the next line, and noticed at the next separator: both steps end there.
    """
    if blocks is None:
        blocks = _LINE_BREAK.search(step_end) is not None and _LINE_BREAK.fullmatch(step_end) is None
    return _Separator((step_end,), blocks)


def separated(text: str, step_end: str) -> Iterator[int]:
    """The places behind separators that have something other than blanks and separators before them."""
    at, begun = 0, False
    while (found := text.find(step_end, at)) >= 0:
        begun = begun or bool(text[at:found].strip())
        at = found + len(step_end)
        if begun:
            yield at


@dataclass(frozen=True, slots=True)
class _Separator:
    stops: tuple[str]
    blocks: bool
    tokens: None = None

    def end(self, text: str) -> int | None:
        places = separated(text, self.stops[0])
        if not self.blocks:
            return next(places, None)
        blocks, hold, row = Blocks(text), Hold(), None
        for place in places:
            if row is not None and not text.startswith("|", row):
                return row
            block = blocks.open_at(place)
            in_row = not block and self._ends_in_row(text, place)
            if not (block or in_row) or not hold.back(place):
                return place
            row = place if in_row and "\n" in self.stops[0] else None
        return None

    def _ends_in_row(self, text: str, place: int) -> bool:
        """Whether the separator before a place stands in a row of a table, or ends one."""
        step_end = self.stops[0]
        if "\n" in step_end[:-1]:
            return False
        return text.startswith("|", text.rfind("\n", 0, place - len(step_end)) + 1)
