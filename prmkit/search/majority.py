"""Majority voting."""

from prmkit.search.answer import answer
from prmkit.search.options import Votes
from prmkit.session import Session


async def majority(session: Session, *, n: Votes) -> int:
    """Write ``n`` solutions and choose the most frequent answer: Mode({A_1, ..., A_N}).

    Returns the first solution with that answer. No PRM is needed.

    Source: the paper, B.4 item 4; arXiv 2203.11171.
    """
    session.independent = "sample"
    leaves: list[int] = []
    with session.until_exhausted():
        async for portion in session.solutions(n):
            leaves += portion
    return await answer(session, leaves, "majority")
