"""Greedy step decoding: always on with the best next step."""

from prmkit.search.answer import answer
from prmkit.search.frontier import best_first, live, usable
from prmkit.search.options import Count, Share
from prmkit.session import Session
from prmkit.tree import ROOT


async def greedy(session: Session, *, n: Count, max_steps: Count = 400, prune: Share = 0.0) -> int:
    """Draw ``n`` candidates for the next step, keep the one that the PRM scores highest, and go on from it.

    Source: the paper, appendix C items 1 and 2: x_{t+1} = arg max over candidates of p_{t+1}.

    Args:
        session: the problem.
        n: candidates for a step.
        max_steps: longest solution.
        prune: step score below which a candidate is dropped, unless it is the best.
    """
    node = ROOT
    with session.until_exhausted():
        for step in range(max_steps):
            candidates = await usable(session, await session.expand(node, n), prune)
            if not candidates:
                break
            p = await session.score(candidates)
            node = best_first(session, candidates, p, f"greedy {step}")[0]
            if not live(session, node):
                break
    return await answer(session, [node], "best") if node != ROOT else ROOT
