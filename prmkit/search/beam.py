"""Beam search over steps."""

from itertools import chain

from prmkit.score.aggregate import Aggregation
from prmkit.search.answer import AnswerRule, answer
from prmkit.search.frontier import best_first, distinct, live, usable
from prmkit.search.options import Count, Share, split_evenly
from prmkit.session import Session
from prmkit.tree import ROOT


async def beam(
    session: Session,
    *,
    n: Count,
    width: Count = 4,
    score: Aggregation = "sum",
    max_steps: Count = 400,
    prune: Share = 0.0,
    merge: bool = False,
    answer_by: AnswerRule = "best",
) -> int:
    """Keep the K = n / width best partial solutions and draw ``width`` next steps of each, ``n`` steps a level.

    Top Paths = Top-K { sum_{t=1..T} R(x_t) }, by the paper's cumulative sum or another ``score``. A finished solution
    among the K best keeps its place, and the other places go on. All levels of a problem but not those of different
    problems wait for each other. The answer is one of the finished solutions, kept or not, by the run's aggregation.

    Source: the paper, B.4 item 2; schedule of arXiv 2408.03314, section 5.2.

    Args:
        session: the problem.
        n: steps drawn at a level.
        width: next steps of each kept path.
        score: how a path is scored while it grows.
        max_steps: longest solution.
        prune: step score below which a path is dropped, unless it is the best.
        merge: let paths of the same text take one place instead of several.
        answer_by: how the answer is chosen.
    """
    places = split_evenly(n, width, where="strategy beam")
    with session.until_exhausted():
        drawn = await session.expand(ROOT, n)
        for level in range(max_steps):
            paths = await usable(session, drawn, prune)
            paths = distinct(session, paths) if merge else paths
            cumulative = [session.solution_score(path, score) for path in paths]
            top = best_first(session, paths, cumulative, f"beam {level}")[:places]
            growing = [path for path in top if live(session, path)]
            places -= len(top) - len(growing)
            if not growing or level == max_steps - 1:
                break
            drawn = list(chain(*await session.expand_each([(path, width) for path in growing])))
    return await answer(session, session.finished(), answer_by)
