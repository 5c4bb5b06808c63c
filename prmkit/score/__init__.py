"""The scorer seam: a tree and some of its nodes go in, step scores come out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from prmkit.score.aggregate import Aggregation
from prmkit.tree import StepTree


class ScorerConfig(BaseModel):
    """A PRM and how its step scores become the score of a solution."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    checkpoint: str = Field(description="folder of a trained PRM")
    aggregation: Aggregation | None = Field(None, description="default: by the labels that the PRM was trained on")
    max_tokens: int = Field(16384, ge=1, description="tokens of one forward pass, padding included")
    device: str | None = Field(None, description="such as cuda:1 or cpu; default: the first GPU, or the CPU")
    memory: float | None = Field(
        None,
        gt=0.0,
        le=1.0,
        description="share of the device's memory for weights and key-values; default: 0.45 of a GPU",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Step scores in [0, 1], one for each node that was asked for, and what they cost.

    ``tokens`` counts those computed, ``cached_tokens`` those read from a cache. ``flops`` is NaN where the engine
    cannot know.
    """

    values: tuple[float, ...]
    cached_tokens: int
    tokens: int
    flops: float


class Scorer(Protocol):
    """Scores steps. The engine batches requests over problems; callers send one at a time and await it."""

    def fits(self, tree: StepTree, node: int) -> bool:
        """Whether the path to ``node`` fits the context of the PRM."""
        ...

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """The probability that each of ``nodes`` is a correct step, given the steps before it.

        Raises:
            InputError: a path is longer than the context of the PRM.
            RunError: the PRM gave a score that is no probability.
        """
        ...
