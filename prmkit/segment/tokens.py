"""Steps of a fixed number of tokens."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from prmkit.segment import Segmenter


def tokens(step_end: str, *, length: Annotated[int, Field(ge=1)]) -> Segmenter:
    """A step ends after ``length`` tokens, whatever they say. A whole text, whose tokens are not known, is one step.

    Args:
        step_end: not needed.
        length: tokens of a step.
    """
    return _Tokens(length)


@dataclass(frozen=True, slots=True)
class _Tokens:
    tokens: int
    stops: tuple[()] = ()

    def end(self, text: str) -> None:
        """No text ends a step."""
