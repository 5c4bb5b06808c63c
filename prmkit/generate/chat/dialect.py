"""What a chat server calls the keys of a request, and which it takes: learned from what it refuses."""

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from prmkit.generate.answers import mapping
from prmkit.generate.server import Refused

_LOG = logging.getLogger(__name__)

_OTHER_NAMES = {"max_tokens": "max_completion_tokens", "seed": "random_seed"}
"""What OpenAI's reasoning models call the first, and Mistral the second."""

_NOT_NEEDED = ("temperature", "top_p", "random_seed", "stream_options", "top_k", "min_p", "repetition_penalty")
"""Keys without which an answer is still one: sampled, or counted, as the server likes."""


class Dialect:
    """Puts requests into the words that a server takes.

    A key that it refuses is renamed, or left out if an answer without it is still of use, from then on; a warning says
    so, once for each key.
    """

    def __init__(self) -> None:
        self._said_as: dict[str, str | None] = {}

    def spoken(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The request in these words."""
        words = {key: self._word(key) for key in body}
        return {word: body[key] for key, word in words.items() if word is not None}

    def learns(self, refusal: Refused, body: Mapping[str, Any], sent: Mapping[str, Any]) -> bool:
        """Whether the request may be sent again, in other words than it was (``sent``)."""
        if refusal.status not in (400, 422):
            return False
        if self.spoken(body) != sent:  # another request met the same refusal meanwhile
            return True
        complaint = _complaint(refusal.said)
        for key in sent:
            if (key in _OTHER_NAMES or key in _NOT_NEEDED) and re.search(rf"\b{key}\b", complaint):
                self._said_as[key] = _OTHER_NAMES.get(key)
                _LOG.warning("%s. %s from now on", refusal, _change(key, self._said_as[key]))
                return True
        return False

    def _word(self, key: str) -> str | None:
        word: str | None = key
        while word in self._said_as:
            word = self._said_as[word]
        return word


def _complaint(said: str) -> str:
    """What a refusal is about, without the request that some servers repeat in it."""
    try:
        answer = mapping(json.loads(said))
    except (ValueError, RecursionError):
        return said[:300]
    error = mapping(answer.get("error", answer))
    details = error.get("detail")
    rows = [mapping(row) for row in details] if isinstance(details, list) else []
    words = [error.get("param"), error.get("message"), answer.get("error"), details]
    return " ".join(
        [*(word for word in words if isinstance(word, str)), *(f"{row.get('loc')} {row.get('msg')}" for row in rows)]
    )


def _change(key: str, word: str | None) -> str:
    return f"{key} is left out" if word is None else f"{key} is called {word}"
