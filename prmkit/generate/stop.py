"""What ends the continuation of a request for one step."""

from dataclasses import dataclass

from prmkit.segment import Segmenter


@dataclass(frozen=True, slots=True)
class StepStop:
    """Ends a continuation where its first step ends.

    The token that completed a step is the last of the continuation. Engines that know stop strings alone stop at
    ``strings``, ask ``ends``, and go on where a step has not ended.

    Args:
        segmenter: says where a step ends.
        carried: text of the step that was written before.
    """

    segmenter: Segmenter
    carried: str = ""

    @property
    def strings(self) -> tuple[str, ...]:
        """A step can only end where one of these has just been written, or at the limit on tokens."""
        return self.segmenter.stops

    @property
    def tokens(self) -> int | None:
        """The longest step in tokens."""
        return self.segmenter.tokens

    def ends(self, text: str) -> bool:
        """Whether a step ends in the text that was written so far."""
        return self.segmenter.end(self.carried + text) is not None

    def cut(self, text: str, known: int = 0) -> int | None:
        """How long the text was when its first step ended; None where it has not.

        Args:
            text: what was written so far.
            known: in so many characters no step ends.
        """
        start = len(self.carried)
        whole = self.carried + text
        places = set[int]()
        for string in self.strings:
            place = whole.find(string, max(0, start + known - len(string) + 1))
            while place >= 0:
                places.add(place + len(string) - start)
                place = whole.find(string, place + 1)
        return next((place for place in sorted(places) if place > known and self.ends(text[:place])), None)
