"""From the solutions that a search found to the one it answers with. The same rules are recomputed from saved trees."""

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from prmkit.session import Session
from prmkit.tree import ROOT

AnswerRule = Literal["best", "weighted", "majority"]


async def answer(session: Session, leaves: Sequence[int], rule: AnswerRule) -> int:
    """The chosen one of these solutions; ROOT if none is finished. Ties are broken by seed, fairly.

    A solution that the budget left without scores does not take part, unless none has any: then they vote. A leaf that
    stands there twice counts twice.
    """
    finished = [leaf for leaf in leaves if session.tree.finished(leaf)]
    judged = [leaf for leaf in finished if session.scored(leaf)]
    if rule != "majority" and judged:
        finished = judged
    else:
        rule = "majority"
    if not finished:
        return ROOT
    scores = [] if rule == "majority" else [session.solution_score(leaf) for leaf in finished]
    classes = [] if rule == "best" else await session.classes(finished)
    tied = winners(rule, scores, classes)
    return finished[session.random("answer").choice(tied)] if tied else ROOT


def winners(rule: AnswerRule, scores: Sequence[float], classes: Sequence[int | None]) -> list[int]:
    """The indices among which the rule leaves the choice open, in ascending order; none where nothing has a vote.

    ``best``: the solutions with the highest reward, arg max_i R_i (the paper, B.4 item 1).
    ``majority``: of each most frequent answer the first solution, Mode({A_1, ..., A_N}) (B.4 item 4).
    ``weighted``: of each answer with the largest sum of rewards, arg max_A sum_i R_i [A_i = A], the best solution
    (arXiv 2206.02336, section 2.2).

    Args:
        rule: one of these.
        scores: one a solution; not read by ``majority``.
        classes: equal numbers for equal answers, None without a vote; not read by ``best``.
    """
    if rule == "best":
        most = max(scores, default=math.nan)
        return [index for index, score in enumerate(scores) if score == most]
    members: defaultdict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(classes):
        if label is not None:
            members[label].append(index)
    if rule == "majority":
        votes = {label: float(len(group)) for label, group in members.items()}
        first = {label: group[0] for label, group in members.items()}
    else:
        # fsum is exact whatever the order, so that equal weights compare equal.
        votes = {label: math.fsum(scores[index] for index in group) for label, group in members.items()}
        first = {label: max(group, key=lambda index: scores[index]) for label, group in members.items()}
    most = max(votes.values(), default=math.nan)
    return sorted(first[label] for label, count in votes.items() if count == most)
