"""What a policy reads and writes: the problem in its template, and steps that are the very tokens that it wrote.

A policy goes on from exactly the ids that it wrote. Text that it did not write, such as the steps of a corpus, is
tokenised together with what stands before it, as one text, which is what it saw in training. So a path that is drawn
step by step is the text that the model writes in one go.
"""

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from transformers import PreTrainedTokenizerBase

from prmkit.generate import Continuation
from prmkit.generate.format import PolicyFormat
from prmkit.generate.rules import Piece, StepRules
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import StepEnds
from prmkit.generate.thoughts import Tags, tags_of
from prmkit.generate.written import STEP_END, VOCABULARY, WrittenStep
from prmkit.models.ends import TurnEnds, turn_ends
from prmkit.packing.prompt import Prompter
from prmkit.tree import Node, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """All that stands before what a policy writes next: the problem in its template, and the steps so far.

    Args:
        before: what stands before the last part; None for the first.
        text: the last part as it was written, special tokens spelled out.
        ids: the tokens of the last part.
        tokens: how many there are of all parts.
        carried: text of the next step that came with the end of the last one.
        thinking: whether the next step begins within a thought.
        thought: tokens of that thought so far.
        canonical: whether the ids of all parts are what the tokenizer makes of their text.
    """

    before: "Context | None"
    text: str
    ids: Sequence[int]
    tokens: int
    carried: str = ""
    thinking: bool = False
    thought: int = 0
    canonical: bool = False

    def parts(self) -> "list[Context]":
        """The parts, the first one first."""
        found: list[Context] = []
        part: Context | None = self
        while part is not None:
            found.append(part)
            part = part.before
        return found[::-1]

    @property
    def prompt(self) -> list[int]:
        """The token ids of all parts."""
        return [token for part in self.parts() for token in part.ids]

    @property
    def whole_text(self) -> str:
        """The text of all parts."""
        return "".join(part.text for part in self.parts())

    @property
    def last(self) -> Sequence[int]:
        """The last token, if there is one."""
        part: Context | None = self
        while part is not None and not len(part.ids):
            part = part.before
        return part.ids[-1:] if part is not None else ()


class PolicyText:
    """Speaks a policy's text in the tokens of its tokenizer.

    Args:
        tokenizer: the policy's.
        format: its template, steps and thoughts.

    Raises:
        InputError: the chat template is missing or refuses; an unknown segmenter or option of it; a budget of thoughts
            for a policy that does not think.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, format: PolicyFormat) -> None:
        self.tokenizer = tokenizer
        self.format = format
        self.prompter = Prompter(tokenizer, format)
        self.step_end = format.step_end or ("\n\n" if self.prompter.template == "chat" else "\n")
        tags = tags_of(format.thoughts, tokenizer, self.prompter.chat_template)
        self.rules = StepRules(format, self.step_end, tags, self.prompter.special)
        self._ends = StepEnds(tokenizer)

    @cached_property
    def meta(self) -> dict[str, str]:
        """What a tree notes of the policy that writes its steps."""
        words = "\n".join(f"{token}\t{word}" for word, token in sorted(self.tokenizer.get_vocab().items()))
        vocabulary = hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
        return {STEP_END: self.step_end, VOCABULARY: vocabulary}

    def begin(self, problem: Problem) -> Context:
        """What stands before the first step."""
        text, ids = self.prompter.text(problem.prompt), self.prompter.ids(problem.prompt)
        return Context(
            before=None,
            text=text,
            ids=ids,
            tokens=len(ids),
            thinking=self.rules.thinks_after(self.prompter.after, thinking=False),
            canonical=not self.prompter.spells_special(problem.prompt),
        )

    def after(self, context: Context, node: Node, meta: Mapping[str, str]) -> Context:
        """What stands before the steps that follow ``node``.

        Args:
            context: what stands before the node.
            node: a step that a policy wrote, or anybody.
            meta: of its tree.
        """
        if node.ids is not None and meta.get(VOCABULARY) == self.meta[VOCABULARY]:
            return self._written(context, self._text_of(context, node.ids), node.ids)[1]
        if node.raw is not None:
            return self._added(
                context, node.raw, self.rules.first(context.carried + node.raw, context.thinking).carried
            )
        raw = node.text + meta.get(STEP_END, self.step_end)
        return self._added(context, self.rules.tagged(raw, thought=node.thought, thinking=context.thinking))

    def _added(self, context: Context, raw: str, carried: str = "") -> Context:
        """What stands before the steps that follow a text of which the policy's own tokens are not known."""
        if context.canonical and not self.prompter.spells_special(self.rules.without_tags(raw)):
            text = context.whole_text + raw
            ids = array("I", self.prompter.tokenised(text))
            new, before = len(ids) - context.tokens, None
        else:
            text, ids, before = raw, array("I", self._ids_behind(context.last, raw)), context
            new = len(ids)
        thinking = self.rules.thinks_after(raw, thinking=context.thinking)
        return Context(
            before=before,
            text=text,
            ids=ids,
            tokens=context.tokens + new,
            carried=carried,
            thinking=thinking,
            thought=context.thought + new if thinking else 0,
            canonical=before is None,
        )

    def thought_behind(self, context: Context, ids: Sequence[int]) -> tuple[bool, int]:
        """Whether what follows these tokens is within a thought, and how many tokens that thought has so far."""
        thinking = self.rules.thinks_after(self._text_of(context, ids), thinking=context.thinking)
        return thinking, context.thought + len(ids) if thinking else 0

    def closing(self) -> list[int]:
        """The tokens that close a thought by force."""
        close = self.tags.close
        return self._ids(close if close.startswith("<|") else f"\n{close}\n\n")

    def closed_at(self, context: Context, ids: Sequence[int]) -> int | None:
        """How many of the tokens stand in front of the last closing in them; None where there is none."""
        texts = self._ends.texts.of(context.last, ids)
        place = "".join(texts).rfind(self.tags.close)
        return None if place < 0 else bisect_right(list(accumulate(map(len, texts))), place)

    def extension(self, context: Context, ids: Sequence[int]) -> list[int]:
        """What a policy reads behind these tokens in place of a closing that came too early."""
        return self._ids_behind(ids[-1:] or context.last, self.format.thoughts.extend)

    @property
    def tags(self) -> Tags:
        """What opens and closes a thought of this policy, which thinks."""
        assert self.rules.tags is not None
        return self.rules.tags

    @cached_property
    def ends(self) -> TurnEnds:
        """What ends an answer in the template, which a model's own list of end tokens may lack."""
        return turn_ends(self.tokenizer, self.prompter, self.rules.tags or ())

    @property
    def budgeted(self) -> bool:
        """Whether the length of thoughts is bounded."""
        thoughts = self.format.thoughts
        return self.rules.tags is not None and (thoughts.max_tokens is not None or thoughts.min_tokens > 0)

    def stop(self, context: Context, ids: Sequence[int] = ()) -> StepStop:
        """What ends a continuation of the context, of which ``ids`` are there, at the end of its first step."""
        written = self._text_of(context, ids) if ids else ""
        return StepStop(self.rules.of(context.thinking), context.carried + written)

    def steps(self, context: Context, one: Continuation) -> tuple[list[WrittenStep], Context]:
        """The steps that a continuation of the context consists of, and what stands before the next one.

        They are cut where a continuation drawn step by step would have been cut; what is blank is no step.
        """
        steps: list[WrittenStep] = []
        ids = one.ids
        texts, start = self._ends.texts.of(context.last, ids), 0
        while start < len(ids):
            end = start + self._ends.first(texts[start:], ids[start:], self.stop(context))
            piece, context = self._written(context, "".join(texts[start:end]), ids[start:end])
            if piece.text:
                steps.append(self._step(piece, context, exact=one.exact))
            start = end
        if one.finish != "stop" and context.carried:
            piece, context = self._written(context, "", ())
            if piece.text:
                steps.append(self._step(piece, context, exact=one.exact))
        return steps, context

    def pieces(self, context: Context, one: Continuation) -> Sequence[str]:
        """The text of each token of a continuation of the context."""
        return self._ends.texts.of(context.last, one.ids)

    def answer(self, context: Context, one: Continuation) -> str:
        """The text of a continuation without what was thought in it; nothing, where it ends within a thought."""
        return self.rules.answer(self._text_of(context, one.ids), thinking=context.thinking)

    def _step(self, piece: Piece, context: Context, *, exact: bool) -> WrittenStep:
        # A text of which tokens are not known has to be kept as it is.
        raw = context.text if not exact or context.text != piece.text + self.step_end else None
        return WrittenStep(text=piece.text, thought=piece.thought, raw=raw, ids=context.ids if exact else None)

    def _written(self, context: Context, raw: str, ids: Sequence[int]) -> tuple[Piece, Context]:
        piece = self.rules.first(context.carried + raw, context.thinking)
        return piece, Context(
            before=context,
            text=raw,
            ids=array("I", ids),
            tokens=context.tokens + len(ids),
            carried=piece.carried,
            thinking=piece.thinking,
            thought=context.thought + len(ids) if piece.thinking else 0,
        )

    def _text_of(self, context: Context, ids: Sequence[int]) -> str:
        return "".join(self._ends.texts.of(context.last, ids))

    def _ids_behind(self, last: Sequence[int], text: str) -> list[int]:
        """The tokens of a text as they follow the token ``last``; none but the tags is special."""
        ids: list[int] = []
        for tag, plain in self.rules.parted(text):
            ids += self._ids(tag) if tag else []
            last = ids[-1:] or last
            before = "".join(self._ends.texts.of((), last))
            if self.prompter.spells_special(before):
                before = ""
            alone = self._ids(before, split_special_tokens=True)
            joined = self._ids(before + plain, split_special_tokens=True)
            fits = joined[: len(alone)] == alone
            ids += joined[len(alone) :] if fits else self._ids(plain, split_special_tokens=True)
            last = ids[-1:] or last
        return ids

    def _ids(self, text: str, **options: bool) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, **options)["input_ids"])
