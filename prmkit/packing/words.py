"""Token ids of many texts word by word, each word tokenised once: several times as fast as the tokenizer alone.

It is exact for ASCII texts of single spaces, under tokenizers that cut a text into pieces by a pattern and merge within
pieces, as those of GPT-2, Llama 3, Qwen2, gpt-oss and their like do. In these patterns white space stands only where a
piece starts, or in pieces of white space, and a number shares its piece with nothing but a space before it; so no token
goes on from a word, or a number, to what follows it.
"""

import json
import re
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeGuard

from tokenizers import AddedToken
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prmkit.packing.ids import packed

_CUTS = frozenset(
    {
        # Qwen2 and 3
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+",
        # Llama 3, GPT-4
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
        r"|\s+(?!\S)|\s+",
        # gpt-oss, GPT-4o
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
        r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    }
)
"""Patterns of which no match goes on from a word or a number to what follows it."""

_WORD_OR_NUMBER = re.compile(" ?[0-9]+| ?[^ 0-9]+")

_REMEMBERED = 1 << 14
"""Words, and as many pieces: what stays in a processor's cache. With eight times as many, it takes a third longer."""


class Words:
    """Ids of texts, without special tokens: those that the tokenizer gives with ``split_special_tokens``.

    Args:
        tokenizer: one that ``cuts_at_words``.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._words: dict[str, bytes] = {}
        self._pieces: dict[str, bytes] = {}

    def packed(self, texts: Sequence[str]) -> list[bytes]:
        """The ids of each text, packed (see ids.py)."""
        words = [_words(text) for text in texts]
        self._learn(set().union(*words))
        others = iter(self._tokenised([text for text, each in zip(texts, words, strict=True) if not each]))
        known = self._words.__getitem__
        return [b"".join(map(known, each)) if each else next(others) for each in words]

    def _learn(self, wanted: set[str]) -> None:
        _make_room(self._words, wanted)
        cut = {word: _WORD_OR_NUMBER.findall(_as_it_stands(word)) for word in wanted - self._words.keys()}
        pieces = set(chain.from_iterable(cut.values()))
        _make_room(self._pieces, pieces)
        new = list(pieces - self._pieces.keys())
        self._pieces.update(zip(new, self._tokenised(new), strict=True))
        known = self._pieces.__getitem__
        self._words.update((word, b"".join(map(known, each))) for word, each in cut.items())

    def _tokenised(self, texts: list[str]) -> list[bytes]:
        # Not by the tokenizer itself, which for short texts spends more on its answer than on their tokens.
        backend = self._tokenizer.backend_tokenizer
        before, backend.encode_special_tokens = backend.encode_special_tokens, True
        backend.no_truncation()
        backend.no_padding()
        try:
            return [packed(found.ids) for found in backend.encode_batch_fast(texts, add_special_tokens=False)]
        finally:
            backend.encode_special_tokens = before


_FIRST = "\0"
"""Stands before the first word of a text, which has no space before it."""


def _words(text: str) -> list[str]:
    """The words of a text; none where it has other white space than single spaces, or other signs than ASCII's."""
    words = text.split(" ")
    if not (text.isascii() and text.isprintable() and "" not in words):
        return []
    words[0] = _FIRST + words[0]
    return words


def _as_it_stands(word: str) -> str:
    return word[1:] if word[0] == _FIRST else f" {word}"


def _make_room(known: dict[str, bytes], wanted: set[str]) -> None:
    """Forget what is not wanted, where there would be too much."""
    if len(known) + len(wanted) > _REMEMBERED:
        for word in known.keys() - wanted:
            del known[word]


def cuts_at_words(tokenizer: PreTrainedTokenizerBase) -> TypeGuard[PreTrainedTokenizerFast]:
    """Whether no token of a tokenizer is known to go on from a word or a number to what follows it."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not isinstance(backend.model, BPE) or backend.model.dropout or backend.pre_tokenizer is None:
        return False
    if backend.normalizer is not None and not isinstance(backend.normalizer, NFC):
        return False
    # Special tokens are not looked for in these texts; other ones that were added are, before the text is cut.
    added = [token for token in tokenizer.added_tokens_decoder.values() if not token.special]
    if not all(_is_one_piece(token) for token in added):
        return False
    return _known_cut(json.loads(backend.pre_tokenizer.__getstate__()))


def _is_one_piece(token: AddedToken) -> bool:
    """Whether an added token is found in a piece as it is found in the text."""
    inside = _WORD_OR_NUMBER.fullmatch(token.content) or not token.content.strip()
    return bool(inside) and not token.rstrip and not token.single_word


def _known_cut(rule: dict[str, Any]) -> bool:
    rules = rule["pretokenizers"] if rule["type"] == "Sequence" else [rule]
    *before, last = rules
    if last["type"] != "ByteLevel" or last["add_prefix_space"]:
        return False
    return all(map(_cuts, before)) and (last["use_regex"] or any(each["type"] == "Split" for each in before))


def _cuts(rule: dict[str, Any]) -> bool:
    if rule["type"] == "Digits":
        return True
    plain = rule["type"] == "Split" and rule["behavior"] == "Isolated" and not rule["invert"]
    return plain and rule["pattern"].get("Regex") in _CUTS
