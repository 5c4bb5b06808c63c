"""Comparison of two evaluations of the same problems: paired, so that hard problems do not count as noise."""

import math
from collections.abc import Collection, Mapping, Sequence

from prmkit.errors import InputError
from prmkit.grade.config import GradingConfig
from prmkit.run.results import Figures
from prmkit.stats import Estimate, paired_bootstrap, paired_difference

_RESAMPLES, _SEED = 2000, 0


Rules = Mapping[str, Mapping[str, float]]
"""The value of each rule on each problem, as in SampleFigures."""


class Comparison(Figures):
    """How one rule does in two evaluations of the same problems.

    Attributes:
        rule: ``prm@8``, or both where they differ: ``prm@8 - prm@16``.
        difference: the mean over problems of the first less the second.
        low: lower end of its 95 % bootstrap interval.
        high: upper end.
        better: problems that only the first solves.
        worse: problems that only the second solves.
        mcnemar: the exact p-value of McNemar's test on these.
    """

    rule: str
    difference: Estimate
    low: float
    high: float
    better: int
    worse: int
    mcnemar: float


def refuse_other_grading(runs: Sequence[tuple[str, GradingConfig]]) -> None:
    """Verdicts of two graders say nothing on two runs. Raises InputError, both named, unless all are judged alike."""
    for name, grading in runs:
        first, wanted = runs[0]
        if grading.judged_by != wanted.judged_by:
            raise InputError(
                "the runs were judged differently",
                where=name,
                got=grading.judged_by,
                expected=f"{wanted.judged_by}, as {first}",
                cure="Judge both by the same grader and vote.",
            )


def refuse_other_problems(one: Rules, problems: Collection[str], *, where: str) -> None:
    """Raises InputError, before anything is judged, unless the evaluation at ``where`` holds one of the problems."""
    if all(values.keys().isdisjoint(problems) for values in one.values()):
        raise InputError("the evaluations share no problem", where=where, expected="a run on the same benchmark")


def compare(one: Rules, other: Rules) -> list[Comparison]:
    """Each rule that both evaluations hold on a problem.

    The best scored and the vote of all samples are compared even where the runs drew different numbers of samples.

    Args:
        one: the rules of an evaluation.
        other: those of another, of the same problems; problems of one alone are left out.

    Raises:
        InputError: no problem is in both.
    """
    rows = []
    for rule, mine in one.items():
        matching = [name for name in other if name.partition("@")[0] == rule.partition("@")[0]]
        for name in matching:
            theirs = other[name]
            shared = [problem for problem in mine if problem in theirs]
            if shared:  # with fewer samples on some problems, the rules of all samples may share none
                a, b = ([float(values[problem]) for problem in shared] for values in (mine, theirs))
                rows.append(_row(rule if rule == name else f"{rule} - {name}", a, b))
    if not rows:
        raise InputError("the evaluations share no problem", expected="runs on the same benchmark")
    return rows


def mcnemar(better: int, worse: int) -> float:
    """The exact two-sided p-value of so many problems that only one side solves, and only the other; 1 for none.

    Source: McNemar 1947; exact form: a sign test on the discordant pairs.
    """
    n, least = better + worse, min(better, worse)
    tail: float = sum(math.comb(n, count) for count in range(least + 1)) / 2**n
    return min(1.0, 2 * tail)


def _row(rule: str, a: Sequence[float], b: Sequence[float]) -> Comparison:
    interval = paired_bootstrap(a, b, resamples=_RESAMPLES, seed=_SEED)
    # A tie within a problem (half solved) is on neither side: only what one solves and the other does not counts.
    better = sum(x > 0.5 > y for x, y in zip(a, b, strict=True))
    worse = sum(y > 0.5 > x for x, y in zip(a, b, strict=True))
    return Comparison(
        rule=rule,
        difference=paired_difference(a, b),
        low=interval.low,
        high=interval.high,
        better=better,
        worse=worse,
        mcnemar=mcnemar(better, worse),
    )
