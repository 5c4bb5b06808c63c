"""An answer of a chat server as one text, thoughts within their tags, while it streams in."""

import logging
from collections.abc import Mapping
from typing import Any

from prmkit.generate.answers import Usage, choice_of, mapping, usage_of
from prmkit.generate.likely import Likely
from prmkit.generate.server import Trouble
from prmkit.generate.thoughts import Tags
from prmkit.tree import Finish

_LOG = logging.getLogger(__name__)

_ENDS: dict[str, Finish] = {
    "stop": "eos",
    "eos_token": "eos",  # TGI's
    "length": "length",
    "model_length": "length",  # Mistral's, for the end of the context
    "max_tokens": "length",
}
_CUT_OFF = {
    "content_filter": "the server's content filter cut an answer off",
    "tool_calls": "the policy called a tool, and has none",
    "function_call": "the policy called a tool, and has none",
}
"""Ends after which there is no whole answer, and would not be if it were asked for again."""


class InBand:
    """Puts the thoughts and the words of an answer into one text, as the policy writes it.

    Args:
        tags: what stands around thoughts; without any, thoughts are left out.
        thinking: whether the answer goes on within a thought.
    """

    def __init__(self, tags: Tags | None, *, thinking: bool) -> None:
        self._tags = tags
        self._inside = thinking
        self._apart = False

    def add(self, thought: str, words: str) -> str:
        """The text of what came, a field for each: what is thought stands before what is said."""
        if self._tags is None:
            return words
        text = ""
        if thought:
            text += thought if self._inside else self._tags.open + thought
            self._inside = self._apart = True
        if words:
            # A server that keeps both apart writes no tags; one that does not has them in its words.
            text += self._tags.close + words if self._inside and self._apart else words
            self._inside = self._inside and not self._apart
        return text


class StreamedAnswer:
    """What has come of an answer, and how many events brought some of it.

    Args:
        tags: of the policy's thoughts.
        thinking: whether the answer goes on within a thought.
        repeated: text that the server may repeat in front, which is left out.
    """

    def __init__(self, tags: Tags | None, *, thinking: bool = False, repeated: str = "") -> None:
        self.text, self.events = "", 0
        self.finish: Finish | None = None
        self.usage = Usage()
        self.likely: list[tuple[str, tuple[Likely, ...]]] = []
        self._in_band = InBand(tags, thinking=thinking)
        self._repeated = repeated

    def take(self, event: Mapping[str, Any]) -> None:
        """Take in an event of the stream, or a whole answer.

        Raises:
            Trouble: it makes no sense, or tells that the server could not go on.
        """
        usage = usage_of(event)
        self.usage = usage if any(usage) else self.usage
        if event.get("usage") is not None and not event.get("choices"):
            return
        choice = choice_of(event)
        delta = mapping(choice.get("delta") or choice.get("message"))
        thought, words = _parted(delta)
        new = self._in_band.add(thought, self._new(words))
        self.text += new
        self.events += bool(new)
        self.likely += _likely(mapping(choice.get("logprobs")))
        if choice.get("finish_reason") is not None:
            self.finish = _finish(choice["finish_reason"])

    def _new(self, words: str) -> str:
        """What is new in some words: a server may repeat the beginning that it was given."""
        if self._repeated and words:
            if self._repeated.startswith(words):
                self._repeated = self._repeated[len(words) :]
                return ""
            words, self._repeated = words.removeprefix(self._repeated), ""
        return words


def _finish(reason: Any) -> Finish:
    if not isinstance(reason, str):
        raise Trouble(f"an answer that ended for another reason, {reason!r}")
    if reason in _CUT_OFF:
        _LOG.warning("%s (finish_reason %s): it counts as cut short", _CUT_OFF[reason], reason)
        return "length"
    if reason not in _ENDS:
        raise Trouble(f"an answer that ended for another reason, {reason!r}")
    return _ENDS[reason]


def _parted(delta: Mapping[str, Any]) -> tuple[str, str]:
    """What was thought and what was said in a message or a part of one."""
    content = delta.get("content")
    if isinstance(content, list):  # Mistral's form of a thought
        thoughts = "".join(_text_in(part.get("thinking")) for part in map(mapping, content))
        return thoughts, "".join(_text_in(part.get("text")) for part in map(mapping, content))
    thought = delta.get("reasoning") or delta.get("reasoning_content")
    return _text_in(thought), _text_in(content)


def _text_in(value: Any) -> str:
    if isinstance(value, list):
        return "".join(_text_in(mapping(part).get("text")) for part in value)
    return value if isinstance(value, str) else ""


def _likely(logprobs: Mapping[str, Any]) -> list[tuple[str, tuple[Likely, ...]]]:
    """Each token of a part of an answer, with the likeliest ones in its place."""
    content = logprobs.get("content")
    return [
        (
            str(token.get("token")),
            tuple(
                Likely(str(other["token"]), float(other["logprob"]))
                for other in map(mapping, token.get("top_logprobs") or ())
                if "token" in other and isinstance(other.get("logprob"), int | float)
            ),
        )
        for token in map(mapping, content if isinstance(content, list) else ())
    ]
