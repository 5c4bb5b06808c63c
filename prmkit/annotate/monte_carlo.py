"""Monte Carlo step labels: can the policy still reach the right answer from here?"""

import asyncio
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.annotate.rollouts import cut_off, gradable, share_of
from prmkit.session import Session


class MonteCarloConfig(BaseModel):
    """Monte Carlo estimation of step labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rollouts: int = Field(8, ge=1, description="completions drawn from each step")
    kind: Literal["soft", "hard"] = Field("soft", description="label with the share of successes, or with 0 and 1")
    threshold: float = Field(0.0, ge=0.0, lt=1.0, description="hard: a step is correct if the share is above this")


async def monte_carlo(session: Session, config: MonteCarloConfig) -> None:
    """Label every step of the tree with the share of ``k`` rollouts from it that reach the right answer.

    A step that a limit cut in two stays unlabelled.

    Source: Math-Shepherd, arXiv 2312.08935, section 3.2 (hard and soft estimation); the paper, section 2.1.
    """
    tree = session.tree
    if not gradable(tree.problem):
        return

    async def label(node: int) -> None:
        share = await share_of(session, node, config.rollouts)
        tree.set_label(node, share.label(hard=config.kind == "hard", threshold=config.threshold))

    await asyncio.gather(*(label(node) for node in range(len(tree)) if not cut_off(tree, node)))
