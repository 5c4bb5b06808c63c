"""Steps of a thought: paragraphs put together to a sensible length, and parted where the thought changes."""

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from prmkit.segment import Segmenter
from prmkit.segment.blocks import Blocks, Hold

MARKERS = (
    "Actually",
    "Alternatively",
    "But wait",
    "Hmm",
    "Hold on",
    "Let me check",
    "Let me double-check",
    "Let me verify",
    "On second thought",
    "Wait",
)
"""What begins a sentence that turns round: it doubts what stands before it, or tries something else."""

_FOLLOWERS = " \n,.!?:;-—…"
"""What may follow a marker. One of these is waited for, since "Wait" alone may become "Waiting"."""

_PARAGRAPH_END = "\n\n"
_SENTENCE_ENDS = ".!?…"
_CLOSERS = "\"'\u201d\u2019)]*_"

_PLACE = re.compile(rf"{_PARAGRAPH_END}|(?P<marker>{'|'.join(map(re.escape, MARKERS))})(?=[{re.escape(_FOLLOWERS)}])")

Characters = Annotated[int, Field(ge=1)]


def thoughts(step_end: str, *, length: Characters = 400, least: Characters = 40) -> Segmenter:
    """A step ends with a paragraph that makes it long enough, or before a sentence that turns round (``MARKERS``).

    Not in a block (see ``Blocks``), as long as that takes no more than ``LONGEST`` characters.

    Args:
        step_end: not needed: blank lines part the paragraphs of a thought.
        length: characters that a step has at least when a blank line ends it. The default is some 100 tokens of
            English; thinkbooster makes steps of 50 to 300.
        least: characters that a step has at least when a marker ends it, so that "Hmm. Wait," is not a step for each
            word.
    """
    stops = (_PARAGRAPH_END, *(marker + follower for marker in MARKERS for follower in _FOLLOWERS))
    return _Thoughts(stops, length, least)


@dataclass(frozen=True, slots=True)
class _Thoughts:
    stops: tuple[str, ...]
    length: int
    least: int
    tokens: None = None

    def end(self, text: str) -> int | None:
        blocks, hold = Blocks(text), Hold()
        begin = len(text) - len(text.lstrip())
        for found in _PLACE.finditer(text):
            if found["marker"]:
                place = found.start()
                ended = _sentence_end(text, place)
                enough = ended is not None and ended - begin >= self.least
            else:
                place, enough = found.end(), found.start() - begin >= self.length
            if enough and not (blocks.open_at(place) and hold.back(place)):
                return place
        return None


def _sentence_end(text: str, place: int) -> int | None:
    """Where the text before the sentence or paragraph that begins at ``place`` ends; None if none begins there."""
    end = place
    while end and text[end - 1].isspace():
        end -= 1
    if "\n" in text[end:place]:
        return end
    last = end
    while last and text[last - 1] in _CLOSERS:
        last -= 1
    return end if end < place and last and text[last - 1] in _SENTENCE_ENDS else None
