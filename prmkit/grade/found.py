"""What was found in a solution: the text to judge, and the rule that found it."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """An answer or a program, and the name of the rule by which it was found."""

    text: str
    rule: str


def texts(found: Iterable[Found | None]) -> list[str | None]:
    """What was found, without its rules."""
    return [None if each is None else each.text for each in found]
