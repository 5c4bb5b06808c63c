"""Particle filtering: solutions as particles that are resampled by the PRM after each step."""

import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Literal

from prmkit.search.answer import AnswerRule, answer
from prmkit.search.frontier import usable
from prmkit.search.options import Count, Share, split_evenly
from prmkit.session import Session
from prmkit.tree import ROOT

_CLIP = 1e-7


async def particle_filtering(
    session: Session,
    *,
    n: Count,
    repeats: Count = 1,
    resampling: Literal["multinomial", "systematic"] = "multinomial",
    max_steps: Count = 400,
    prune: Share = 0.0,
    answer_by: AnswerRule = "best",
) -> int:
    """Let ``n`` particles each write a step, weigh them, draw them anew by their weights, until all are finished.

    The weight of a particle is its latest step score: w = logit(p), resampled with P(i) = exp(w_i) / sum_j exp(w_j). A
    finished particle keeps its weight, may be drawn again, and writes nothing.

    Source: arXiv 2502.01618, algorithm 1; weights as in its_hub (p clipped to [1e-7, 1 - 1e-7]).

    Args:
        session: the problem.
        n: particles, over all repeats.
        repeats: independent filters of n / repeats particles, one after the other.
        resampling: how particles are drawn; systematic varies less.
        max_steps: longest solution.
        prune: step score below which a particle is dropped, unless it is the best.
        answer_by: among the finished particles; ``best`` is arg max w where the aggregation is ``last``.
    """
    size = split_evenly(n, repeats, where="strategy particle-filtering (width: repeats)")
    session.independent = "request"
    particles: list[int] = []
    with session.until_exhausted():
        for repeat in range(repeats):
            cloud = [ROOT] * size
            for step in range(max_steps):
                ended = [particle for particle in cloud if _ended(session, particle)]
                growing = Counter(particle for particle in cloud if not _ended(session, particle))
                drawn = [node for steps in await session.expand_each(list(growing.items())) for node in steps]
                left = set(await usable(session, drawn, prune))
                moved = ended + [node for node in drawn if node in left]
                if not moved:
                    break
                w = [logit(p) for p in await session.score(moved)]
                rng = session.random(f"particles {repeat} {step}")
                cloud = [moved[index] for index in resample(softmax(w), size, rng, resampling)]
                if all(_ended(session, particle) for particle in cloud):
                    break
            particles += [particle for particle in cloud if _ended(session, particle)]
    return await answer(session, particles or session.finished(), answer_by)


def logit(p: float) -> float:
    """ln(p / (1 - p)), of p clipped to [1e-7, 1 - 1e-7]."""
    clipped = min(max(p, _CLIP), 1.0 - _CLIP)
    return math.log(clipped / (1.0 - clipped))


def softmax(weights: Sequence[float]) -> list[float]:
    """exp(w_i) / sum_j exp(w_j)."""
    most = max(weights)
    powers = [math.exp(weight - most) for weight in weights]
    total = math.fsum(powers)
    return [power / total for power in powers]


def resample(probabilities: Sequence[float], size: int, rng: random.Random, how: str) -> list[int]:
    """``size`` indices drawn with these probabilities, in ascending order.

    Multinomial: each on its own. Systematic: at u, u + 1/size, ... of the cumulative distribution, with one random u.
    """
    if how == "multinomial":
        return sorted(rng.choices(range(len(probabilities)), weights=probabilities, k=size))
    indices, cumulative, index = [], probabilities[0], 0
    start = rng.random()
    for place in range(size):
        while (start + place) / size >= cumulative and index < len(probabilities) - 1:
            index += 1
            cumulative += probabilities[index]
        indices.append(index)
    return indices


def _ended(session: Session, node: int) -> bool:
    return node != ROOT and session.tree.finished(node)
