"""Monte Carlo step labels: can the policy still reach the right answer from here?"""

import asyncio
import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.session import Session
from prmkit.tree import ROOT, Label


class MonteCarloConfig(BaseModel):
    """Monte Carlo estimation of step labels."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    solutions: int = Field(4, ge=1, description="solutions written for a problem that comes without any")
    rollouts: int = Field(8, ge=1, description="completions drawn from each step")
    kind: Literal["soft", "hard"] = Field("soft", description="label with the share of successes, or with 0 and 1")
    threshold: float = Field(0.0, ge=0.0, lt=1.0, description="hard: a step is correct if the share is above this")


async def monte_carlo(session: Session, config: MonteCarloConfig) -> None:
    """Label every step of the tree with the share of ``k`` rollouts from it that reach the right answer.

    A step that ends a finished solution needs no rollout: its answer is the outcome. The standard error of the share
    p is sqrt(p (1 - p) / k).

    Source: Math-Shepherd, arXiv 2312.08935, section 3.2 (hard and soft estimation); the paper, section 2.1.
    """
    if not session.tree.nodes:
        await session.complete(ROOT, config.solutions)
    await asyncio.gather(*(_label(session, node, config) for node in range(len(session.tree.nodes))))


async def _label(session: Session, node: int, config: MonteCarloConfig) -> None:
    if session.tree.finished(node):
        outcomes = await session.correct([node])
    else:
        outcomes = await session.outcomes(node, config.rollouts)
    share = sum(outcomes) / len(outcomes)
    value = share if config.kind == "soft" else float(share > config.threshold)
    stderr = math.sqrt(share * (1 - share) / len(outcomes))
    session.tree.set_label(node, Label(value=value, source="monte-carlo", stderr=stderr, rollouts=len(outcomes)))
