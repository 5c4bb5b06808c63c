"""From step scores to the score of a solution."""

import math
from collections.abc import Sequence
from typing import Literal

from prmkit.errors import InputError

Aggregation = Literal["last", "min", "prod", "mean", "sum"]

# arXiv 2501.07301, section 3.2.4: a Monte-Carlo label already estimates the end of the solution, so the last step says
# it all; a human or a judge labels each step on its own, so all steps must hold. So does a consensus, which ends at the
# first error.
_BY_LABEL_SOURCE: dict[str, Aggregation] = {
    "monte-carlo": "last",
    "human": "prod",
    "judge": "prod",
    "consensus": "prod",
}


def default_aggregation(label_source: str) -> Aggregation:
    """The aggregation that suits a PRM trained on labels of this source.

    Raises:
        InputError: the source is unknown.
    """
    try:
        return _BY_LABEL_SOURCE[label_source]
    except KeyError:
        raise InputError(
            "no default aggregation for this label source",
            got=label_source,
            expected=f"one of {', '.join(sorted(_BY_LABEL_SOURCE))}",
            cure="Name the aggregation in the recipe.",
        ) from None


def neutral(how: Aggregation) -> float:
    """The score of an unfinished solution of which no step has been read: 0 for ``sum``, else 1, as nothing speaks
    against it.
    """
    return 0.0 if how == "sum" else 1.0


def aggregate(scores: Sequence[float], how: Aggregation) -> float:
    """The score of a solution from the scores of its steps; in [0, 1] but for ``sum``.

    Source: the paper, appendix C (PRM-Last, PRM-Min) and B.4 (cumulative sum).

    Raises:
        InputError: there is no step.
    """
    if not scores:
        raise InputError("a solution without steps has no score")
    if how == "last":
        return scores[-1]
    if how == "min":
        return min(scores)
    if how == "prod":
        return math.prod(scores)
    total = math.fsum(scores)
    return total if how == "sum" else total / len(scores)
