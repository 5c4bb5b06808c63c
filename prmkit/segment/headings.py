"""A step begins with a numbered heading."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from prmkit.segment import Segmenter
from prmkit.segment.blocks import Blocks, Hold

_DECORATIONS = ("", "**", *(f"{'#' * level} {bold}" for level in range(1, 5) for bold in ("", "**")))
_DIGITS = "0123456789"

Word = Annotated[str, Field(min_length=1, pattern=r"^\S+( \S+)*$", description="it is the word before the number")]


def headings(step_end: str, *, word: Word = "Step") -> Segmenter:
    """A step ends before a line that begins with a numbered heading: ``Step 2``, ``**Step 2``, ``### Step 2``, ...

    What stands before the first heading is a step of its own. The digit makes the heading ("Step back and look" is
    none), and what follows the number is not waited for. A heading in a block (see ``Blocks``), such as a comment of a
    program, is none either, as long as that takes no more than ``LONGEST`` characters.

    Args:
        step_end: not needed: only headings end steps.
        word: the word before the number, as it is written in a heading.
    """
    decorated = [f"{decoration}{word} " for decoration in _DECORATIONS]
    return _Headings(
        stops=tuple(f"\n{start}{digit}" for start in decorated for digit in _DIGITS),
        heading=re.compile(rf"^(?:{'|'.join(map(re.escape, decorated))})[{_DIGITS}]", re.MULTILINE),
    )


@dataclass(frozen=True, slots=True)
class _Headings:
    stops: tuple[str, ...]
    heading: re.Pattern[str]
    tokens: None = None

    def end(self, text: str) -> int | None:
        blocks, hold = Blocks(text), Hold()
        begin = len(text) - len(text.lstrip())
        for found in self.heading.finditer(text):
            place = found.start()
            if place > begin and not (blocks.open_at(place) and hold.back(place)):
                return place
        return None
