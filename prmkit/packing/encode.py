"""The one tokenisation of a tree: used by training, scoring, generation, attribution and similarity.

It is append-only in token ids: the problem and every step are tokenised on their own, so the ids of a path are the
concatenation of the ids of its parts, and a prefix of a path is a prefix of its ids. Joining texts first would let a
tokenizer merge across a step end and cost accuracy (QwenLM/ProcessBench#12: 56.1 -> 60.3 F1 for ids over text).
"""

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.packing.format import TEMPLATES, StepFormat
from prmkit.tree import Problem

_REMEMBERED = 8192
"""Texts whose ids are kept: a search asks for every step of a path again with each step that follows."""


class StepEncoder:
    """Token ids of problems and steps under one tokenizer and one format.

    Raises:
        InputError: the step end is no token of the tokenizer.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, format: StepFormat) -> None:
        self.tokenizer = tokenizer
        self.format = format
        self._known: dict[str, tuple[int, ...]] = {}
        self.before, self.after = TEMPLATES[format.template].replace("{{", "{").replace("}}", "}").split("{problem}")
        self._before_ids, self._after_ids = self._template_ids(self.before), self._template_ids(self.after)
        self.step_end_ids = self._template_ids(format.step_end)
        self._left_out = set(tokenizer.all_special_ids) - set(self.step_end_ids)
        unknown = tokenizer.unk_token_id
        if not self.step_end_ids or (unknown is not None and unknown in self.step_end_ids):
            raise InputError(
                "the tokenizer does not know the step end",
                where=tokenizer.name_or_path or "tokenizer",
                got=format.step_end,
                expected="text that the tokenizer has tokens for",
                cure="Set model.format.step_end to one of its tokens.",
            )

    def problem_ids(self, problem: Problem) -> list[int]:
        """Ids of the problem inside its template: what stands before the first step."""
        ids = [*self._before_ids, *self._text_ids(problem.prompt), *self._after_ids]
        bos = self.tokenizer.bos_token_id
        return [bos, *ids] if bos is not None and self.format.template in ("plain", "bare") else ids

    def step_ids(self, text: str) -> list[int]:
        """Ids of one step. The last one is the step's end, where its score is read."""
        return [*self._text_ids(text), *self.step_end_ids]

    def path_ids(self, problem: Problem, steps: Sequence[str]) -> tuple[list[int], list[int]]:
        """Ids of a problem and its steps, and the position of each step's end."""
        ids = self.problem_ids(problem)
        ends = []
        for step in steps:
            ids += self.step_ids(step)
            ends.append(len(ids) - 1)
        return ids, ends

    def steps_of(self, ids: Sequence[int]) -> list[str]:
        """Texts of the steps in generated ids; other special tokens and empty steps are left out.

        The indentation of a step's first line is kept: a step may begin within a block of code.
        """
        text = str(self.tokenizer.decode([token for token in ids if token not in self._left_out]))
        return [_stripped(step) for step in text.split(self.format.step_end) if step.strip()]

    def _template_ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _text_ids(self, text: str) -> tuple[int, ...]:
        found = self._known.get(text)
        if found is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            # Text of a problem or a model may spell a special token; it must not become one.
            found = tuple(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"])
            self._known[text] = found
        return found


def _stripped(step: str) -> str:
    step = step.strip("\r\n").rstrip()
    # A single blank is what some tokenizers put between tokens.
    return step if step.startswith(("  ", "\t")) else step.strip()
