"""The segmenter seam: where a step of a solution ends, decided from its text while a model writes."""

from typing import Protocol

from prmkit.seam import Seam


class Segmenter(Protocol):
    """Says where steps end, and keeps nothing between two questions.

    A factory makes it: ``(step_end: str, **options) -> Segmenter``, where ``step_end`` is the separator of the format.
    Engines write on until the text has just completed one of ``stops``, or has ``tokens`` tokens, and only then ask.
    """

    @property
    def stops(self) -> tuple[str, ...]:
        """The end of a step is noticed only when one of these strings has just been completed."""
        ...

    @property
    def tokens(self) -> int | None:
        """A step ends at the latest after so many tokens; None: no limit."""
        ...

    def end(self, text: str) -> int | None:
        """Where the first step of ``text`` ends: the index of the first character that belongs to the next step.

        None where it has not ended yet. ``text`` is all that was written since the last step's end, and nothing else
        decides. What stands behind the end is carried over, as the beginning of the next ``text``: the heading, say,
        that told that this step is over.

        A step is not blank: ``text[:end].strip()`` holds something, and separators in front of it end nothing. An
        answer is for good: it is given only once one of ``stops`` is complete in ``text``, and no further text changes
        it, ``end(text + more) == end(text)``.
        """
        ...


SEGMENTERS = Seam(
    "segmenter",
    {
        "headings": "prmkit.segment.headings:headings",
        "separator": "prmkit.segment.separator:separator",
        "statements": "prmkit.segment.statements:statements",
        "thoughts": "prmkit.segment.thoughts:thoughts",
        "tokens": "prmkit.segment.tokens:tokens",
    },
)
