"""What was found in a solution: the text to judge, and the rule that found it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Found:
    """An answer or a program, and the name of the rule by which it was found."""

    text: str
    rule: str
