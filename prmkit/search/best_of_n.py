"""Best-of-N sampling."""

from prmkit.session import Session
from prmkit.tree import ROOT


async def best_of_n(session: Session, *, n: int) -> int:
    """Write ``n`` solutions and choose the one with the highest reward: arg max_i R_i.

    Returns the chosen solution, ROOT if none is finished. Ties are broken by seed.

    Source: the paper, B.4 item 1.
    """
    leaves = [leaf for leaf in await session.complete(ROOT, n) if session.tree.finished(leaf)]
    if not leaves:
        return ROOT
    await session.score(leaves)
    rewards = {leaf: session.solution_score(leaf) for leaf in leaves}
    best = max(rewards.values())
    return session.random("best-of-n").choice([leaf for leaf in leaves if rewards[leaf] == best])
