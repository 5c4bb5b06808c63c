"""The tokenisation of a tree by a PRM: used by training, scoring, attribution and similarity.

A policy goes on from the tokens that it wrote instead: see prmkit/generate/text.py.

It is append-only in token ids: the problem and every step are tokenised on their own, so the ids of a path are the
concatenation of the ids of its parts, and a prefix of a path is a prefix of its ids. Joining texts first would let a
tokenizer merge across a step end and cost accuracy (QwenLM/ProcessBench#12: 56.1 -> 60.3 F1 for ids over text).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

from transformers import PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.packing.format import StepFormat
from prmkit.packing.ids import packed, unpacked
from prmkit.packing.prompt import Prompter
from prmkit.packing.words import Words, cuts_at_words
from prmkit.tree import Problem

_REMEMBERED = 8192
"""Texts whose ids are kept: a search asks for every step of a path again with each step that follows."""


class StepEncoder:
    """Token ids of problems and steps under one tokenizer and one format.

    ``format`` and ``tokenizer`` are what a checkpoint keeps: a chat template becomes the tokenizer's own, whatever file
    it is from, and the date that it told is written down, so that the PRM is asked tomorrow as it was trained today.

    Raises:
        InputError: the step end is no token of the tokenizer, or the chat template is missing or refuses.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, format: StepFormat) -> None:
        self.tokenizer = tokenizer
        # Packed, see ids.py.
        self._known: dict[str, bytes] = {}
        self._asked: dict[str, bytes] = {}
        self.prompter = Prompter(tokenizer, format)
        self.format = format.model_copy(update={"template_file": None, "date": self.prompter.date})
        if format.template == "chat":
            tokenizer.chat_template = self.prompter.chat_template
        self._before = packed(self._template_ids(self.prompter.before))
        self._after = packed(self._template_ids(self.prompter.after))
        self.step_end_ids = self._template_ids(format.step_end)
        self._step_end = packed(self.step_end_ids)
        unknown = tokenizer.unk_token_id
        if not self.step_end_ids or (unknown is not None and unknown in self.step_end_ids):
            raise InputError(
                "the tokenizer does not know the step end",
                where=tokenizer.name_or_path or "tokenizer",
                got=format.step_end,
                expected="text that the tokenizer has tokens for",
                cure="Set model.format.step_end to one of its tokens.",
            )

    def __reduce__(self) -> tuple[Any, ...]:
        return StepEncoder, (self.tokenizer, self.format)

    def problem_ids(self, problem: Problem) -> list[int]:
        """Ids of the problem inside its template: what stands before the first step."""
        return unpacked(self.packed_problem(problem))

    def step_ids(self, text: str) -> list[int]:
        """Ids of one step. The last one is the step's end, where its score is read."""
        return unpacked(self.packed_step(text))

    def packed_problem(self, problem: Problem) -> bytes:
        """``problem_ids``, packed (see ids.py)."""
        if self.format.template == "chat":  # as the backbone was trained: one text
            return _remembered(self._asked, problem.prompt, self.prompter.ids)
        return b"".join((self._before, self._packed_text(problem.prompt), self._after))

    def packed_step(self, text: str) -> bytes:
        """``step_ids``, packed."""
        return self._packed_text(text) + self._step_end

    def learn(self, texts: Iterable[str]) -> None:
        """Tokenise many problems and steps at once, so that asking for one of them costs nothing soon after."""
        wanted = dict.fromkeys(texts)
        new = [text for text in wanted if text not in self._known]
        if not new:
            return
        if len(self._known) + len(new) > _REMEMBERED:
            self._known = {text: ids for text, ids in self._known.items() if text in wanted}
        found = self._words.packed(new) if self._words is not None else map(packed, self._plain_ids(new))
        self._known.update(zip(new, found, strict=True))

    def path_ids(self, problem: Problem, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        """Ids of a problem and its steps, and the position of each step's end."""
        ids = self.problem_ids(problem)
        ends = []
        for step in steps:
            ids += self.step_ids(step)
            ends.append(len(ids) - 1)
        return ids, ends

    @cached_property
    def _words(self) -> Words | None:
        return Words(self.tokenizer) if cuts_at_words(self.tokenizer) else None

    def _template_ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _packed_text(self, text: str) -> bytes:
        return _remembered(self._known, text, self._plain_ids)

    def _plain_ids(self, text: str | list[str]) -> list[Any]:
        """Ids of a text, or of each of several."""
        # Text of a problem or a model may spell a special token; it must not become one.
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])


def _remembered(known: dict[str, bytes], text: str, ids_of: Callable[[str], Iterable[int]]) -> bytes:
    found = known.get(text)
    if found is None:
        if len(known) >= _REMEMBERED:
            known.clear()
        found = known[text] = packed(ids_of(text))
    return found
