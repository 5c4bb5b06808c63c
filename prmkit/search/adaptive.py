"""Adaptive best-of-N: as many solutions as a problem needs to be sure."""

import math
from collections import Counter
from typing import Literal

from prmkit.search.answer import AnswerRule, answer
from prmkit.search.options import Count, Share
from prmkit.session import Session
from prmkit.tree import ROOT


async def adaptive_best_of_n(
    session: Session,
    *,
    n: Count,
    portion: Count = 2,
    sure_by: Literal["prm", "vote"] = "prm",
    confidence: Share = 0.95,
    answer_by: AnswerRule = "best",
) -> int:
    """Write solutions ``portion`` by ``portion``, up to ``n``, and stop once the answer is sure.

    By the PRM it is sure when the best reward reaches ``confidence``. By the vote it is when the leading answer, with
    v_1 votes against v_2 of the next, is the more frequent one with that probability:
    P(p_1 > 1/2 | v_1, v_2) = P(Binomial(v_1 + v_2 + 1, 1/2) <= v_1), under a uniform prior.

    With ``budget.shared`` a problem that is sure leaves the rest of its budget to those that are not, so give it an n
    above budget.generations: that is the most a hard problem may get.

    Source: the paper, appendix D item 2; the vote's rule: arXiv 2305.11860, section 3.

    Args:
        session: the problem.
        n: most solutions.
        portion: solutions between two looks.
        sure_by: who must be sure.
        confidence: how sure.
        answer_by: how the answer is chosen.
    """
    finished: list[int] = []
    drawn = 0
    with session.until_exhausted():
        while drawn < n and not await _sure(session, finished, sure_by, confidence):
            leaves = await session.complete(ROOT, min(portion, n - drawn))
            drawn += len(leaves)
            new = [leaf for leaf in leaves if session.tree.finished(leaf)]
            finished += new
            if sure_by == "prm" or answer_by != "majority":
                await session.score(new)
    return await answer(session, finished, answer_by)


async def _sure(session: Session, finished: list[int], sure_by: str, confidence: float) -> bool:
    if not finished:
        return False
    if sure_by == "prm":
        return max(session.solution_score(leaf) for leaf in finished) >= confidence
    votes = Counter(label for label in await session.classes(finished) if label is not None)
    first, second, *_ = [*(count for _, count in votes.most_common(2)), 0, 0]
    return probability_of_leading(first, second) >= confidence


def probability_of_leading(first: int, second: int) -> float:
    """P(p > 1/2) for p ~ Beta(first + 1, second + 1): that the leader of a vote is the more frequent answer."""
    draws = first + second + 1
    return sum(math.comb(draws, wins) for wins in range(first + 1)) / 2.0**draws
