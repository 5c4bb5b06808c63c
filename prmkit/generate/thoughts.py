"""Thoughts in the text of a reasoning model: what opens and what closes them, and where their steps end."""

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from prmkit.errors import InputError
from prmkit.generate.format import ThoughtFormat
from prmkit.segment import Segmenter
from prmkit.thoughts import TAGS

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


_TOKEN = re.compile(r"<\|\w+\|>")
_NOTHING = re.compile("")


class Tags(NamedTuple):
    """What opens and what closes a thought."""

    open: str
    close: str


def tags_of(
    format: ThoughtFormat, tokenizer: "PreTrainedTokenizerBase | None", chat_template: str | None
) -> Tags | None:
    """The tags that a policy writes; None for one that does not think.

    With ``auto`` a family is recognised by what it writes: tokens of the tokenizer, or a part of the chat template.
    ``tokenizer`` is None for a policy that is known by its text alone.

    Raises:
        InputError: a budget is set for a policy of which no thoughts are known.
    """
    if format.open is not None and format.close is not None:
        return Tags(format.open, format.close)
    if format.family != "auto":
        return Tags(*TAGS[format.family]) if format.family != "none" else None
    known = set(tokenizer.get_vocab()) if tokenizer is not None else set()
    for open, close in TAGS.values():
        template = chat_template or ""
        if _spelled(close, known) or open in template or close in template:
            return Tags(open, close)
    if format.max_tokens is not None or format.min_tokens:
        raise InputError(
            "nothing is known of this policy's thoughts",
            where="format.thoughts",
            expected=f"a budget for a policy that writes {' or '.join(close for _, close in TAGS.values())}",
            cure="Name what opens and closes a thought: format.thoughts.open and close.",
        )
    return None


@dataclass(frozen=True, slots=True)
class Closing:
    """A segmenter that ends a text where its thought is closed."""

    tag: str
    tokens: int | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """See Segmenter.stops."""
        return (self.tag,)

    def end(self, text: str) -> int | None:
        """See Segmenter.end."""
        place = text.find(self.tag)
        return place + len(self.tag) if place >= 0 else None


@dataclass(frozen=True, slots=True)
class ThoughtfulSegmenter:
    """Steps of a text that may hold a thought: within it by one segmenter, outside by another.

    A closing ends a step, so that no step is half thought and half answer. A thought without text is no step.

    Args:
        answer: where a step of an answer ends.
        thought: where a step of a thought ends.
        tags: what opens and closes a thought.
        thinking: whether the text begins within a thought.
        passed: what is passed over in front of a step and of a tag, such as special tokens.
    """

    answer: Segmenter
    thought: Segmenter
    tags: Tags
    thinking: bool
    passed: re.Pattern[str] = _NOTHING

    @property
    def stops(self) -> tuple[str, ...]:
        """See Segmenter.stops."""
        return tuple(dict.fromkeys([self.tags.close, self.tags.open, *self.thought.stops, *self.answer.stops]))

    @property
    def tokens(self) -> int | None:
        """See Segmenter.tokens: the limit of a thought's steps, or of an answer's."""
        return self.thought.tokens if self.thinking else self.answer.tokens

    def end(self, text: str) -> int | None:
        """See Segmenter.end."""
        thinking, start = self.begins(text)
        if not thinking:
            opening = text.find(self.tags.open, start)
            place = self.answer.end(text[start:] if opening < 0 else text[start:opening])
            if place is None:
                return opening if opening >= 0 and text[start:opening].strip() else None
            return start + place
        closing = text.find(self.tags.close, start)
        place = self.thought.end(text[start:] if closing < 0 else text[start:closing])
        if place is not None:
            return start + place
        return closing + len(self.tags.close) if closing >= 0 else None

    def begins(self, text: str) -> tuple[bool, int]:
        """Whether the first step of a text is one of a thought, and where its own text begins.

        A tag may stand in front that changes nothing, such as an opening behind that of the chat template.
        """
        thinking, start = self.thinking, 0
        while True:
            start = passed_over(self.passed, text, start)
            blank = len(text) - len(text[start:].lstrip())
            tag = next((tag for tag in self.tags if text.startswith(tag, blank)), None)
            if tag is None:
                return thinking, start
            thinking, start = tag == self.tags.open, blank + len(tag)


def passed_over(passed: re.Pattern[str], text: str, start: int = 0) -> int:
    """Where the text goes on behind what is passed over at ``start``."""
    found = passed.match(text, start)
    return start if found is None else found.end()


def _spelled(tag: str, known: Set[str]) -> bool:
    """Whether a tag is a token, or text around tokens, as the channels of gpt-oss are."""
    parts = set(_TOKEN.findall(tag))
    return tag in known or bool(parts and parts <= known)
