"""The likeliest tokens behind a prompt, from engines that tell them."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable


class Likely(NamedTuple):
    """A token by its text, and the natural logarithm of its probability."""

    text: str
    logprob: float


class NextTokens(NamedTuple):
    """The likeliest tokens at a place, and what it cost to ask for them; the costs are those of a Generation."""

    tokens: tuple[Likely, ...]
    cached_tokens: int
    prefill_tokens: int
    flops: float


@runtime_checkable
class TellsNextTokens(Protocol):
    """A generator that tells them."""

    async def next_tokens(self, prompt_ids: Sequence[int], top: int) -> NextTokens:
        """The ``top`` likeliest tokens behind a prompt, or as many as the engine tells, at temperature 1.

        Raises:
            InputError: the prompt is empty or leaves no room in the context, or a server tells no probabilities.
        """
        ...
