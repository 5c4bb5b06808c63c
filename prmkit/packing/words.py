"""Token ids of many texts word by word, each word tokenised once: several times as fast as the tokenizer alone.

It is exact for ASCII texts of single spaces, under tokenizers that cut a text into pieces by a pattern and merge within
pieces, as those of GPT-2, Llama 3, Qwen2, gpt-oss and their like do. In these patterns white space stands only where a
piece starts, or in pieces of white space, and a number shares its piece with nothing but a space before it; so no token
goes on from a word, or a number, to what follows it.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from tokenizers import AddedToken
from tokenizers.models import BPE
from tokenizers.normalizers import NFC
from transformers import PreTrainedTokenizerBase

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

_REMEMBERED = 1 << 17


class Words:
    """Ids of texts, without special tokens: those that the tokenizer gives with ``split_special_tokens``.

    Args:
        tokenizer: one that ``cuts_at_words``.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._ids: dict[str, list[int]] = {}

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        pieces = [_pieces(text) for text in texts]
        self._learn(piece for each in pieces for piece in each)
        known = self._ids
        return [[token for piece in each for token in known[piece]] for each in pieces]

    def _learn(self, pieces: Iterable[str]) -> None:
        wanted = set(pieces)
        new = list(wanted - self._ids.keys())
        if len(self._ids) + len(new) > _REMEMBERED:
            self._ids = {piece: self._ids[piece] for piece in wanted & self._ids.keys()}
        if new:
            found = self._tokenizer(new, add_special_tokens=False, split_special_tokens=True)["input_ids"]
            self._ids.update(zip(new, found, strict=True))


def _pieces(text: str) -> list[str]:
    """The words and the numbers of a text, each with the space before it; the text itself where it has other white
    space or other signs than ASCII's.
    """
    if not text.isascii() or text.split(" ") != text.split():
        return [text]
    return _WORD_OR_NUMBER.findall(text)


def cuts_at_words(tokenizer: PreTrainedTokenizerBase) -> bool:
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
