"""What Monte Carlo estimators share: the share of rollouts from a step that reach the right answer."""

import math
from dataclasses import dataclass

from prmkit.session import Session
from prmkit.tree import Label, Problem, StepTree

SOURCE = "monte-carlo"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutShare:
    """``successes`` of ``rollouts``; of a finished solution, its own outcome."""

    successes: int
    rollouts: int

    @property
    def value(self) -> float:
        """The share of successes."""
        return self.successes / self.rollouts

    def label(self, *, hard: bool, threshold: float) -> Label:
        """Soft: the share p; hard: whether it is above the threshold. The standard error is sqrt(p (1 - p) / k).

        Source: Math-Shepherd, arXiv 2312.08935, section 3.2.
        """
        p = self.value
        return Label(
            value=float(p > threshold) if hard else p,
            source=SOURCE,
            stderr=math.sqrt(p * (1 - p) / self.rollouts),
            rollouts=self.rollouts,
        )


def implied(value: float) -> Label:
    """A label that follows from those of other steps, without a rollout of its own."""
    return Label(value=value, source=SOURCE, rollouts=0)


def gradable(problem: Problem) -> bool:
    """Whether a solution can be judged: rollouts without an answer to reach say nothing."""
    return problem.answer is not None or bool(problem.tests)


def cut_off(tree: StepTree, node: int) -> bool:
    """Whether a step is half of one, cut by a limit: nothing can follow it, and it is neither right nor wrong."""
    return tree.nodes[node].finish in ("length", "cancelled")


async def share_of(session: Session, node: int, rollouts: int) -> RolloutShare:
    """How often the policy reaches the right answer from a step; a step that ends its solution needs no rollout."""
    if session.tree.finished(node):
        outcomes = await session.correct([node])
    else:
        outcomes = await session.outcomes(node, rollouts)
    return RolloutShare(successes=sum(outcomes), rollouts=len(outcomes))
