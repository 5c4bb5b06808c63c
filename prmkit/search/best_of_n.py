"""Best-of-N sampling."""

from prmkit.search.answer import answer
from prmkit.search.options import Count
from prmkit.session import Session


async def best_of_n(session: Session, *, n: Count) -> int:
    """Write ``n`` solutions and choose the one with the highest reward: arg max_i R_i.

    An unfinished solution is neither scored nor chosen. One solution is chosen from nothing, so it needs no PRM.

    Source: the paper, B.4 item 1.
    """
    return await answer(session, await scored_solutions(session, n), "best")


async def scored_solutions(session: Session, n: int) -> list[int]:
    """The finished ones of ``n`` solutions, with their scores, as far as the budget goes."""
    session.independent = "sample"
    finished: list[int] = []
    with session.until_exhausted():
        async for leaves in session.solutions(n):
            portion = [leaf for leaf in leaves if session.tree.finished(leaf)]
            finished += portion
            if n > 1 or session.has_prm:
                await session.score(portion)
    return finished
