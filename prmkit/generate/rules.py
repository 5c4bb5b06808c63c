"""How the text that a policy writes falls into steps of a thought and of an answer."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prmkit.generate.format import PolicyFormat
from prmkit.generate.thoughts import Tags, ThoughtfulSegmenter, passed_over
from prmkit.segment import Segmenter
from prmkit.segment.config import bind_segmenter
from prmkit.thoughts import TAGS

_HEADERS = re.compile(r"<\|start\|>assistant|<\|channel\|>\w+")
"""What gpt-oss says of a message in front of it: whose it is, and in which channel."""


class Piece(NamedTuple):
    """The first step of a text.

    ``text`` is what is kept of it, without tags, special tokens and the white space around; ``thought`` whether it is
    one of a thought; ``carried`` what belongs to the next step, and ``thinking`` whether that begins within a thought.
    """

    text: str
    thought: bool
    carried: str
    thinking: bool


class StepRules:
    """Cuts the text of a policy into steps.

    Args:
        format: of the policy.
        step_end: what parts steps.
        tags: of its thoughts, if it has any.
        special: special tokens, which are no part of a step.

    Raises:
        InputError: an unknown segmenter or an option of it.
    """

    def __init__(self, format: PolicyFormat, step_end: str, tags: Tags | None, special: Sequence[str]) -> None:
        self.tags = tags
        kept = [*(tags or ()), step_end]
        self._special = [token for token in special if token not in kept]
        self._headers = _HEADERS if tags == TAGS["gpt-oss"] else None
        self._step_end = step_end
        self._answer = bind_segmenter(format.steps, step_end)
        self._thought = bind_segmenter(format.thoughts.steps, step_end)
        self._leading = self._before_a_step()
        self._rules = {thinking: self._rule(thinking) for thinking in (False, True)}

    def of(self, thinking: bool) -> Segmenter:
        """Where the first step of a text ends, which begins within a thought or not."""
        return self._rules[thinking]

    def _rule(self, thinking: bool) -> Segmenter:
        if self.tags is not None:
            return self._thoughtful(self.tags, thinking)
        return _BehindSpecial(self._answer, self._leading) if self._special else self._answer

    def first(self, text: str, thinking: bool) -> Piece:
        """The first step of a text, which begins within a thought or not: all of it, where it has not ended."""
        end = self.of(thinking).end(text)
        step, carried = (text, "") if end is None else (text[:end], text[end:])
        thought = self.tags is not None and self._thoughtful(self.tags, thinking).begins(step)[0]
        return Piece(self._kept(step), thought, carried, self.thinks_after(step, thinking=thinking))

    def thinks_after(self, text: str, *, thinking: bool) -> bool:
        """Whether what follows a text is within a thought."""
        if self.tags is None:
            return False
        opened, closed = text.rfind(self.tags.open), text.rfind(self.tags.close)
        return thinking if opened == closed else opened > closed

    def answer(self, text: str, *, thinking: bool) -> str:
        """What stands behind the last thought of a text; nothing, where the text ends within one."""
        if self.tags is None:
            return text
        return "" if self.thinks_after(text, thinking=thinking) else text.rpartition(self.tags.close)[2]

    def without_tags(self, text: str) -> str:
        """The text without the tags in it."""
        for tag in self.tags or ():
            text = text.replace(tag, "")
        return text

    def parted(self, text: str) -> Iterator[tuple[str, str]]:
        """The text in parts, each a tag (or nothing, for the first) and what follows it up to the next."""
        if self.tags is None:
            yield "", text
            return
        first, *rest = re.split("(" + "|".join(map(re.escape, self.tags)) + ")", text)
        yield "", first
        yield from zip(rest[::2], rest[1::2], strict=True)

    def tagged(self, raw: str, *, thought: bool, thinking: bool) -> str:
        """A step that nobody wrote tags around, with what opens or closes the thought before it, if need be."""
        if self.tags is None or thought == thinking:
            return raw
        return f"{self.tags.open}\n{raw}" if thought else f"{self.tags.close}{self._step_end}{raw}"

    def _thoughtful(self, tags: Tags, thinking: bool) -> ThoughtfulSegmenter:
        return ThoughtfulSegmenter(self._answer, self._thought, tags, thinking, self._leading)

    def _before_a_step(self) -> re.Pattern[str]:
        """Special tokens and headers, but for the tags, which may be made of them."""
        headers = [self._headers.pattern] if self._headers is not None else []
        passed = "|".join([*headers, *map(re.escape, self._special)]) or "(?!)"
        tags = "|".join(map(re.escape, self.tags)) if self.tags is not None else "(?!)"
        return re.compile(rf"(?:\s*(?!{tags})(?:{passed}))*")

    def _kept(self, step: str) -> str:
        for tag in self.tags or ():
            step = step.replace(tag, "")
        if self._headers is not None:
            step = self._headers.sub("\n", step)
        for token in self._special:
            step = step.replace(token, "")
        end = self._step_end
        # A step end that is no white space, such as a token of its own, is no part of the step either.
        step = step.rstrip().removesuffix(end) if end.strip() else step
        step = step.strip("\r\n").rstrip()
        # A single blank is what some tokenizers put between tokens; an indentation may be that of a block of code.
        return step if step.startswith(("  ", "\t")) else step.strip()


@dataclass(frozen=True, slots=True)
class _BehindSpecial:
    """A segmenter that passes over special tokens in front of a step, which would be a step without text."""

    inner: Segmenter
    leading: re.Pattern[str]

    @property
    def stops(self) -> tuple[str, ...]:
        return self.inner.stops

    @property
    def tokens(self) -> int | None:
        return self.inner.tokens

    def end(self, text: str) -> int | None:
        start = passed_over(self.leading, text)
        place = self.inner.end(text[start:])
        return None if place is None else start + place
