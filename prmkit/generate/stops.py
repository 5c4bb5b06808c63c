"""Where a continuation ends by its text, found in token ids as they come: at the end of a step, or of a turn."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from transformers import PreTrainedTokenizerBase

from prmkit.generate.stop import StepStop

_REMEMBERED = 1 << 18
"""Texts of tokens that are kept."""

_CHARACTER = 8
"""Tokens over which the bytes of one character may be spread, generously."""

_SPLIT = "\ufffd"
"""Stands for the bytes of a character that is not whole."""


class TokenTexts:
    """The text that each token of a sequence adds.

    A tokenizer may write a token differently at the beginning of a text, so the one before it counts too.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._known: dict[tuple[int, int], str] = {}

    def of(self, before: Sequence[int], ids: Sequence[int]) -> list[str]:
        """The texts, special tokens spelled out; a character whose bytes are spread over tokens is the last one's.

        Args:
            before: what stands before the first token; only the last one is looked at.
            ids: the tokens.
        """
        if not ids:
            return []
        known = self._known
        texts = [] if before else [self._decoded(ids[:1])]
        for pair in pairwise((*before[-1:], *ids)):
            text = known.get(pair)
            texts.append(self._remember(pair) if text is None else text)
        if _SPLIT in "".join(texts):
            self._join_characters([*before[-1:]], ids, texts)
        return texts

    def alone(self, token: int) -> str:
        """The text of a token with nothing before it."""
        return self._decoded([token])

    def spelled(self, text: str) -> list[int]:
        """The tokens of a text."""
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"]) if text else []

    def _remember(self, pair: tuple[int, int]) -> str:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        text = self._known[pair] = self._added(pair[:1], pair[1:])
        return text

    def _join_characters(self, before: list[int], ids: Sequence[int], texts: list[str]) -> None:
        place = 0
        while place < len(texts):
            if _SPLIT in texts[place]:
                start = [*before, *ids[max(0, place - 1) : place]][-1:]
                for end in range(place + 1, min(place + _CHARACTER, len(texts)) + 1):
                    whole = self._added(start, ids[place:end])
                    if _SPLIT not in whole:
                        texts[place:end] = [*[""] * (end - place - 1), whole]
                        place = end - 1
                        break
            place += 1

    def _added(self, before: Sequence[int], ids: Sequence[int]) -> str:
        return self._decoded([*before, *ids])[len(self._decoded(before)) :]

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)) if ids else ""


class StepEnds:
    """Finds the ends of steps in token ids, and those of a turn. A token may hold more than a stop string, or only a
    part of it.

    Most tokens cannot end any of the strings, and that is looked up.

    Args:
        tokenizer: the policy's.
        marks: texts that end a turn, each of several tokens.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, marks: tuple[str, ...] = ()) -> None:
        self.texts = TokenTexts(tokenizer)
        self._marks = marks
        self._reach = max(map(len, marks), default=0) + _CHARACTER
        self._tokenizer = tokenizer
        self._enders = lru_cache(maxsize=64)(self._find_enders)

    def reached(self, before: Sequence[int], drawn: Sequence[int], stop: StepStop) -> bool:
        """Whether the last of the ``drawn`` tokens behind ``before`` ends a step, given that no other one does."""
        if stop.tokens is not None and len(drawn) >= stop.tokens:
            return True
        if not stop.strings or drawn[-1] not in self._enders(stop.strings):
            return False
        texts = self.texts.of(before, drawn)
        return completes("".join(texts), len(texts[-1]), stop)

    def before_mark(self, drawn: Sequence[int]) -> tuple[int, ...] | None:
        """The tokens in front of the mark that the last of the ``drawn`` tokens completes; None where it does not."""
        if not self._marks or drawn[-1] not in self._enders(self._marks):
            return None
        start = max(0, len(drawn) - self._reach)
        tail = drawn[start:]
        found = before_mark(self.texts.of(drawn[:start], tail), tail, self._marks, self.texts.spelled)
        return None if found is None else (*drawn[:start], *found)

    def first(self, texts: Sequence[str], ids: Sequence[int], stop: StepStop) -> int:
        """How many tokens the first step takes: all of them, where none ends it.

        Args:
            texts: what each token adds.
            ids: the tokens.
            stop: what ends the step.
        """
        enders = self._enders(stop.strings) if stop.strings else frozenset[int]()
        return first_end(texts, stop, [place for place, token in enumerate(ids, 1) if token in enders]) or len(ids)

    def _find_enders(self, stops: tuple[str, ...]) -> frozenset[int]:
        """The tokens that may hold the end of one of the strings."""
        texts = self._tokenizer.batch_decode([[token] for token in range(len(self._tokenizer))])
        last = {stop[-1] for stop in stops}
        # Alone, a token loses a leading space in some tokenizers, and the end of a split character is unreadable.
        unclear = " " in last
        return frozenset(
            token for token, text in enumerate(texts) if unclear or not text or _SPLIT in text or last & set(text)
        )


def before_mark(
    texts: Sequence[str], ids: Sequence[int], marks: Sequence[str], spelled: Callable[[str], Sequence[int]]
) -> tuple[int, ...] | None:
    """The tokens in front of the first mark in them; None where there is none.

    A token that holds the beginning of the mark may hold the end of what stands before it, which is spelled anew.

    Args:
        texts: what each token adds.
        ids: the tokens.
        marks: texts that end a turn.
        spelled: the tokens of a text.
    """
    text = "".join(texts)
    place = min((found for mark in marks if (found := text.find(mark)) >= 0), default=None)
    if place is None:
        return None
    ends = list(accumulate(map(len, texts)))
    whole = bisect_right(ends, place)
    return (*ids[:whole], *spelled(text[ends[whole - 1] if whole else 0 : place]))


def first_end(texts: Sequence[str], stop: StepStop, places: Iterable[int]) -> int | None:
    """How many tokens the first step takes; None where it has not ended.

    Args:
        texts: what each token adds.
        stop: what ends the step.
        places: after so many tokens, and at the limit on tokens, it may end; in ascending order.
    """
    text, joined, limit = "", 0, stop.tokens
    for place in places:
        if limit is not None and limit <= place:
            return limit
        text += "".join(texts[joined:place])
        joined = place
        if completes(text, len(texts[place - 1]), stop):
            return place
    return limit if limit is not None and limit <= len(texts) else None


def completes(text: str, new: int, stop: StepStop) -> bool:
    """Whether the last ``new`` characters complete a stop string, and a step ends there."""
    whole = stop.carried + text
    return any(_completed(whole, new, stop.strings)) and stop.ends(text)


def _completed(text: str, new: int, strings: Sequence[str]) -> Iterator[bool]:
    for string in strings:
        yield text.find(string, max(0, len(text) - new - len(string) + 1)) >= 0
