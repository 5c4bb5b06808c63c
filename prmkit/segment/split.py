"""A whole text as the steps that a model would have written."""

from bisect import bisect_right
from collections.abc import Sequence

from prmkit.errors import InputError
from prmkit.segment import Segmenter


def split(text: str, segmenter: Segmenter) -> list[str]:
    """The steps of a whole text as they stand in it: joined, they are ``text``.

    The rule is that of a model which writes: whenever one of the segmenter's stops has been completed, ``end`` is asked
    about what stands since the last step's end, until it gives none. A last piece that is blank is joined to the one
    before it. A limit in tokens is not known here.

    Takes time in proportion to the text, as far as ``end`` does.

    Raises:
        InputError: the segmenter ends a step outside of its text.
    """
    places, pieces, begin = _completions(text, segmenter.stops), list[str](), 0
    while (cut := _next_cut(text, begin, places, segmenter)) is not None:
        pieces.append(text[begin:cut])
        begin = cut
    rest = text[begin:]
    if rest.strip() or not pieces:
        return [*pieces, rest] if rest else []
    return [*pieces[:-1], pieces[-1] + rest]


def _next_cut(text: str, begin: int, places: Sequence[int], segmenter: Segmenter) -> int | None:
    """Where the step that begins at ``begin`` ends.

    An answer of ``end`` is for good, so not every place need be tried: each time twice as much is read, which keeps
    long steps from being read over and over.
    """
    at = bisect_right(places, begin)
    while at < len(places):
        end = segmenter.end(text[begin : places[at]])
        if end is not None:
            return begin + _checked(end, places[at] - begin, segmenter)
        at = max(at + 1, bisect_right(places, 2 * places[at] - begin) - 1)
    return None


def _checked(end: int, length: int, segmenter: Segmenter) -> int:
    if not 1 <= end <= length:
        raise InputError(
            "a step ends outside of its text", where=type(segmenter).__name__, got=end, expected=f"1 to {length}"
        )
    return end


def _completions(text: str, stops: Sequence[str]) -> list[int]:
    """The places right behind any of the stops, in ascending order."""
    places = set()
    for stop in stops:
        at = text.find(stop)
        while at >= 0:
            places.add(at + len(stop))
            at = text.find(stop, at + 1)
    return sorted(places)
