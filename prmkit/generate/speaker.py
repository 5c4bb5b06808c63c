"""What speaks to a policy: it puts a problem and the steps so far into a prompt, and reads steps in what comes back."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from prmkit.generate.stop import StepStop
from prmkit.generate.written import WrittenStep
from prmkit.tree import Node, Problem


class Before(Protocol):
    """What stands before the text that a policy writes next."""

    @property
    def text(self) -> str:
        """The text in front of the first step, special tokens spelled out; of a chat, its turns."""
        ...

    @property
    def tokens(self) -> int:
        """How long it is, for budgets: counted where token ids are known, else estimated."""
        ...

    @property
    def prompt(self) -> Any:
        """What its generator takes: token ids, or the turns of a chat."""
        ...

    @property
    def thinking(self) -> bool:
        """Whether the policy goes on within a thought."""
        ...


class Speaker(Protocol):
    """Speaks to one kind of generator, which takes its prompts and whose continuations it reads.

    ``PolicyText`` does so in token ids, ``ChatText`` in the turns of a chat. A context is one of its own.
    """

    @property
    def meta(self) -> Mapping[str, str]:
        """What a tree notes of the policy that writes its steps: STEP_END, and VOCABULARY where its ids are kept."""
        ...

    @property
    def step_end(self) -> str:
        """What parts the steps of an answer."""
        ...

    @property
    def budgeted(self) -> bool:
        """Whether the length of thoughts is bounded, which only PolicyText can do."""
        ...

    def begin(self, problem: Problem) -> Before:
        """What stands before the first step."""
        ...

    def after(self, context: Any, node: Node, meta: Mapping[str, str]) -> Before:
        """What stands before the steps that follow ``node``, of a tree with ``meta``; ``context`` stands before it."""
        ...

    def stop(self, context: Any) -> StepStop:
        """What ends a continuation of the context at the end of its first step."""
        ...

    def steps(self, context: Any, one: Any) -> tuple[list[WrittenStep], Before]:
        """The steps that a continuation of the context consists of, and what stands before the next one."""
        ...

    def pieces(self, context: Any, one: Any) -> Sequence[str]:
        """The text of a continuation, token by token where the tokens are known, else as one piece."""
        ...

    def answer(self, context: Any, one: Any) -> str:
        """The text of a continuation without what was thought in it; nothing, where it ends within a thought."""
        ...
