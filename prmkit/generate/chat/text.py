"""What a chat policy reads and writes: the turns of a chat, and the text of the answer that it has begun."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from prmkit.errors import InputError
from prmkit.generate import Continuation
from prmkit.generate.format import PolicyFormat
from prmkit.generate.likely import Likely
from prmkit.generate.rules import StepRules
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import first_end
from prmkit.generate.thoughts import Tags, tags_of
from prmkit.generate.written import STEP_END, VOCABULARY, WrittenStep
from prmkit.thoughts import TAGS
from prmkit.tree import Node, Problem

_BYTES = 3
"""UTF-8 bytes of an estimated token: English prose has four or five, LaTeX, code and Chinese two or three."""


class Turn(NamedTuple):
    """One message of a chat."""

    role: str
    content: str


class Part(NamedTuple):
    """A part of an answer: its text, and its token ids where they are known."""

    text: str
    ids: Sequence[int] | None = None


_NOTHING = Part("", ())


@dataclass(frozen=True, slots=True)
class ChatPrompt:
    """What a chat policy reads: the turns so far, and the answer that was begun, in parts. It goes on with that.

    ``thinking`` says whether it does so within a thought.
    """

    turns: tuple[Turn, ...]
    parts: tuple[Part, ...] = ()
    thinking: bool = False

    @property
    def answer(self) -> str:
        """The text of the answer so far."""
        return "".join(part.text for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatContinuation(Continuation):
    """A continuation that came as text.

    ``pieces`` is the text of each token where ``ids`` are known and the server spelled them out; else the text as one
    piece. ``written`` counts its tokens, by the server where it tells. ``likely`` holds the text of each token of an
    answer and the likeliest tokens in its place, where they were asked for.
    """

    ids: tuple[int, ...] = ()
    exact: bool = False
    pieces: tuple[str, ...]
    written: int
    likely: tuple[tuple[str, tuple[Likely, ...]], ...] = ()

    @property
    def tokens(self) -> int:
        """See Continuation.tokens."""
        return self.written

    @property
    def text(self) -> str:
        """What was written; thoughts stand within their tags."""
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatContext:
    """All that stands before what a chat policy writes next.

    Args:
        turns: the problem, behind the system turn if there is one.
        before: the context before the last part of the answer; None where the answer has not begun.
        last: that part.
        tokens: how many there are of all this, counted where ids are known, else estimated from the texts.
        carried: text of the next step that came with the end of the last one.
        thinking: whether the next step begins within a thought.
    """

    turns: tuple[Turn, ...]
    before: "ChatContext | None" = None
    last: Part = _NOTHING
    tokens: int
    carried: str = ""
    thinking: bool = False

    @property
    def text(self) -> str:
        """The turns, each behind its role: the template around them is the server's."""
        return "\n\n".join(f"{turn.role}: {turn.content}" for turn in self.turns)

    @property
    def prompt(self) -> ChatPrompt:
        """What the generator takes."""
        parts: list[Part] = []
        context = self
        while context.before is not None:
            parts.append(context.last)
            context = context.before
        return ChatPrompt(self.turns, tuple(parts[::-1]), self.thinking)


@dataclass(frozen=True, slots=True)
class ChatSide:
    """What is known of a chat policy's side of the talk.

    Args:
        tags: what opens and closes its thoughts.
        after: the end of its prompt, up to where an answer begins; empty where only the server knows.
        vocabulary: names the vocabulary of its token ids; None where a server answers none.
        special: special tokens that may stand in its texts, and are no part of a step.
    """

    tags: Tags | None
    after: str = ""
    vocabulary: str | None = None
    special: tuple[str, ...] = ()


class ChatText:
    """Speaks to a chat policy in turns and texts; see Speaker.

    Answers are kept byte for byte, and go back so. Thoughts that a server answers in a field of their own stand in the
    text within ``tags``.

    Args:
        format: system turn, steps and thoughts.
        side: what is known of the policy.

    Raises:
        InputError: an unknown segmenter or an option of it; steps of a number of tokens, where no ids are known.
    """

    def __init__(self, format: PolicyFormat, side: ChatSide) -> None:
        self.format = format
        self.side = side
        self.step_end = format.step_end or "\n\n"
        self.rules = StepRules(format, self.step_end, side.tags, side.special)
        self.budgeted = False
        counted = any(self.rules.of(thinking).tokens is not None for thinking in (False, True))
        if counted and side.vocabulary is None:
            raise InputError(
                "a step of a number of tokens needs token ids, and this server answers text",
                where="format.steps",
                cure="Choose another segmenter, or serve the model by vLLM.",
            )

    @property
    def meta(self) -> dict[str, str]:
        """What a tree notes of the policy that writes its steps: no vocabulary, where no ids are known."""
        known = {} if self.side.vocabulary is None else {VOCABULARY: self.side.vocabulary}
        return {STEP_END: self.step_end} | known

    def begin(self, problem: Problem) -> ChatContext:
        """What stands before the first step."""
        context = asking(self.format, problem)
        return replace(context, thinking=self.rules.thinks_after(self.side.after, thinking=False))

    def after(self, context: ChatContext, node: Node, meta: Mapping[str, str]) -> ChatContext:
        """What stands before the steps that follow ``node``, which a policy wrote, or anybody."""
        known = self.side.vocabulary is not None and meta.get(VOCABULARY) == self.side.vocabulary
        mine = known and node.ids is not None
        if mine or node.raw is not None:
            raw = node.text + meta.get(STEP_END, self.step_end) if node.raw is None else node.raw
            carried = self.rules.first(context.carried + raw, context.thinking).carried
            return self._behind(context, Part(raw, node.ids if mine else None), carried)
        raw = node.text + meta.get(STEP_END, self.step_end)
        return self._behind(context, Part(self.rules.tagged(raw, thought=node.thought, thinking=context.thinking)), "")

    def stop(self, context: ChatContext) -> StepStop:
        """What ends a continuation of the context at the end of its first step."""
        return StepStop(self.rules.of(context.thinking), context.carried)

    def steps(self, context: ChatContext, one: ChatContinuation) -> tuple[list[WrittenStep], ChatContext]:
        """The steps that a continuation of the context consists of, and what stands before the next one.

        They are cut where a continuation drawn step by step would have been cut.
        """
        steps: list[WrittenStep] = []
        one = self._with_opening(context, one)
        rest, start = one.pieces if _is_spelled(one) else one.text, 0
        while start < len(rest):
            part, start = self._next_part(context, one, start)
            context, step = self._written(context, part)
            steps += [step] if step is not None else []
        if one.finish != "stop" and context.carried:
            context, step = self._written(context, Part("", () if one.exact else None))
            steps += [step] if step is not None else []
        return steps, context

    def pieces(self, context: ChatContext, one: ChatContinuation) -> Sequence[str]:
        """The text of a continuation, token by token where the tokens are known, else as one piece."""
        return one.pieces

    def answer(self, context: ChatContext, one: ChatContinuation) -> str:
        """The text of a continuation without what was thought in it; nothing, where it ends within a thought."""
        one = self._with_opening(context, one)
        return self.rules.answer(one.text, thinking=context.thinking)

    def _with_opening(self, context: ChatContext, one: ChatContinuation) -> ChatContinuation:
        """With what opens a thought, where the server's template wrote it and the answer only closes it."""
        tags = self.rules.tags
        if tags is None or context.before is not None or context.thinking or self.side.after:
            return one
        closed, opened = one.text.find(tags.close), one.text.find(tags.open)
        if closed < 0 or 0 <= opened < closed:
            return one
        return replace(one, pieces=(tags.open + one.pieces[0], *one.pieces[1:]))

    def _next_part(self, context: ChatContext, one: ChatContinuation, start: int) -> tuple[Part, int]:
        """What of a continuation is written for the step that begins at ``start``, and where the next one begins."""
        stop = self.stop(context)
        if _is_spelled(one):
            pieces = one.pieces[start:]
            end = start + (first_end(pieces, stop, range(1, len(pieces) + 1)) or len(pieces))
            return Part("".join(one.pieces[start:end]), one.ids[start:end]), end
        cut = stop.cut(one.text[start:])
        end = len(one.text) if cut is None else start + cut
        whole = one.exact and (start, end) == (0, len(one.text))
        return Part(one.text[start:end], one.ids if whole else None), end

    def _written(self, context: ChatContext, part: Part) -> tuple[ChatContext, WrittenStep | None]:
        piece = self.rules.first(context.carried + part.text, context.thinking)
        behind = self._behind(context, part, piece.carried)
        if not piece.text:
            return behind, None
        raw = part.text if part.ids is None or part.text != piece.text + self.step_end else None
        return behind, WrittenStep(text=piece.text, thought=piece.thought, raw=raw, ids=part.ids)

    def _behind(self, context: ChatContext, part: Part, carried: str) -> ChatContext:
        tokens = estimated_tokens(part.text) if part.ids is None else len(part.ids)
        return ChatContext(
            turns=context.turns,
            before=context,
            last=part,
            tokens=context.tokens + tokens,
            carried=carried,
            thinking=self.rules.thinks_after(part.text, thinking=context.thinking),
        )


def _is_spelled(one: ChatContinuation) -> bool:
    """Whether the text of each of its tokens is known."""
    return one.exact and len(one.pieces) == len(one.ids)


def asking(format: PolicyFormat, problem: Problem) -> ChatContext:
    """The problem as the user's turn, behind the system turn if there is one."""
    system = [Turn("system", format.system)] if format.system is not None else []
    turns = (*system, Turn("user", problem.prompt))
    return ChatContext(turns=turns, tokens=sum(estimated_tokens(turn.content) for turn in turns))


def chat_tags(format: PolicyFormat) -> Tags | None:
    """The tags around thoughts, for a policy of which nothing else is known.

    A server may answer thoughts in a field of their own; where the recipe does not say how they are tagged, they are
    kept as most models write them.
    """
    thoughts = format.thoughts
    found = tags_of(thoughts, None, None)
    return Tags(*TAGS["think"]) if found is None and thoughts.family == "auto" else found


def estimated_tokens(text: str) -> int:
    """The tokens of a text, by its bytes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES)
