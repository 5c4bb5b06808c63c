"""Majority voting."""

from collections import Counter

from prmkit.session import Session
from prmkit.tree import ROOT


async def majority(session: Session, *, n: int) -> int:
    """Write ``n`` solutions and choose the most frequent answer: Mode({A_1, ..., A_N}).

    Returns the first solution with that answer, ROOT if none is finished. Ties are broken by seed.

    Source: the paper, B.4 item 4.
    """
    leaves = await session.complete(ROOT, n)
    classes = await session.classes(leaves)
    votes = Counter(answer for answer in classes if answer is not None)
    if not votes:
        return ROOT
    most = max(votes.values())
    winner = session.random("majority").choice(sorted(answer for answer, count in votes.items() if count == most))
    return leaves[classes.index(winner)]
