"""What a policy wrote, as steps. No torch, so that recipes bind in milliseconds."""

from collections.abc import Sequence
from dataclasses import dataclass

from prmkit.tree import Finish

STEP_END, VOCABULARY = "step_end", "tokenizer"
"""Keys of a tree's meta: what stands behind a step of which ``raw`` is not kept, and in which vocabulary ids are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenStep:
    """A step as a policy wrote it; ``thought``, ``raw`` and ``ids`` are those of a Node."""

    text: str
    thought: bool = False
    raw: str | None = None
    ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """One sampled continuation as steps, and why it ended."""

    steps: tuple[WrittenStep, ...]
    finish: Finish

    @property
    def answer(self) -> list[str]:
        """The texts of the steps that are no thought."""
        return [step.text for step in self.steps if not step.thought]
