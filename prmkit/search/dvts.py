"""Diverse verifier tree search: independent greedy searches side by side."""

from prmkit.search.answer import AnswerRule, answer
from prmkit.search.frontier import best_first, live, usable
from prmkit.search.options import Count, Share, split_evenly
from prmkit.session import Session
from prmkit.tree import ROOT


async def dvts(
    session: Session,
    *,
    n: Count,
    width: Count = 4,
    max_steps: Count = 400,
    prune: Share = 0.0,
    answer_by: AnswerRule = "best",
) -> int:
    """Grow ``n / width`` subtrees apart from each other, each on from the best of its ``width`` next steps.

    A subtree ends where its best step ends a solution. Only finished solutions are answers, also those that were not
    the best of their siblings.

    Source: Beeching et al. 2024, "Scaling test-time compute with open models" (huggingface/search-and-learn).

    Args:
        session: the problem.
        n: steps drawn at a level, over all subtrees.
        width: candidates for the next step of a subtree.
        max_steps: longest solution.
        prune: step score below which a candidate is dropped, unless it is the best.
        answer_by: how the answer is chosen.
    """
    tips = dict.fromkeys(range(split_evenly(n, width, where="strategy dvts")), ROOT)
    session.independent = "request"
    with session.until_exhausted():
        for step in range(max_steps):
            drawn = await session.expand_each([(tip, width) for tip in tips.values()])
            await usable(session, [node for candidates in drawn for node in candidates], 0.0)  # scored in one request
            for subtree, candidates in zip(list(tips), drawn, strict=True):
                left = await usable(session, candidates, prune)
                scores = await session.score(left)
                best = best_first(session, left, scores, f"dvts {subtree} {step}")[:1]
                if best and live(session, best[0]):
                    tips[subtree] = best[0]
                else:
                    del tips[subtree]
            if not tips:
                break
    return await answer(session, session.finished(), answer_by)
