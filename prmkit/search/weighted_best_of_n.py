"""Weighted best-of-N: the vote, each solution with the weight of its reward."""

from prmkit.search.answer import answer
from prmkit.search.best_of_n import scored_solutions
from prmkit.search.options import Votes
from prmkit.session import Session


async def weighted_best_of_n(session: Session, *, n: Votes) -> int:
    """Write ``n`` solutions and choose the answer with the most reward: arg max_A sum_i R_i [A_i = A].

    Returns the best solution with that answer.

    Source: arXiv 2206.02336, section 2.2; arXiv 2408.03314, section 5.1.
    """
    return await answer(session, await scored_solutions(session, n), "weighted")
