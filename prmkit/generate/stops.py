"""Stop strings at the level of tokens: which token completes the string?"""

from collections.abc import Sequence
from functools import lru_cache

from transformers import PreTrainedTokenizerBase

_MARGIN = 8
"""Tokens in front of the shortest text that could hold the stop string; a tokenizer may treat the first of a text
in its own way."""


class StopStrings:
    """Finds stop strings in token ids as they come. A token may hold more than the string, or only a part of it.

    Most tokens cannot end a given string, and that is looked up; for the others a few tokens are decoded.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._enders = lru_cache(maxsize=64)(self._find_enders)

    def completes(self, ids: Sequence[int], stop: str) -> bool:
        """Whether the text of ``ids`` holds ``stop``, given that without the last token it does not."""
        if ids[-1] not in self._enders(stop):
            return False
        # A character is at most four bytes, and a token at least one.
        tail = ids[-(4 * len(stop) + _MARGIN) :]
        return stop in self._text(tail) and (len(tail) == len(ids) or stop in self._text(ids))

    def _find_enders(self, stop: str) -> frozenset[int]:
        """The tokens that may hold the end of a stop string."""
        texts = self._tokenizer.batch_decode([[token] for token in range(len(self._tokenizer))])
        # Alone, a token loses a leading space in some tokenizers, and the end of a split character is unreadable.
        unclear = stop[-1] == " "
        return frozenset(
            token for token, text in enumerate(texts) if unclear or not text or stop[-1] in text or "\ufffd" in text
        )

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids)))
