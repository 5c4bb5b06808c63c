"""Comparison of two evaluations of the same problems: paired, so that hard problems do not count as noise."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.stats import paired_bootstrap, paired_difference

_RESAMPLES, _SEED = 2000, 0


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For each rule that both evaluations hold: the mean difference, its bootstrap interval, McNemar's test; as rows.

    A rule is one of evaluate_samples' ``rules``; the best scored and the vote of all samples are compared even where
    the runs drew different numbers of samples. Keys: ``rule``, ``difference`` {value, stderr, n}, ``low``, ``high`` (95
    %), ``better`` and ``worse`` (problems that one solves and the other does not), ``mcnemar`` (its exact p-value).

    Args:
        one: an evaluation (evaluation.json).
        other: of the same problems; problems of one alone are left out.

    Raises:
        InputError: no problem is in both.
    """
    rows = []
    for rule, mine in one["rules"].items():
        matching = [name for name in other["rules"] if name.partition("@")[0] == rule.partition("@")[0]]
        for name in matching:
            theirs = other["rules"][name]
            shared = [problem for problem in mine if problem in theirs]
            if not shared:
                raise InputError("the evaluations share no problem", expected="runs on the same benchmark")
            a, b = ([float(values[problem]) for problem in shared] for values in (mine, theirs))
            rows.append({"rule": rule if rule == name else f"{rule} - {name}", **_row(a, b)})
    return rows


def mcnemar(better: int, worse: int) -> float:
    """The exact two-sided p-value of so many problems that only one side solves, and only the other; 1 for none.

    Source: McNemar 1947; exact form: a sign test on the discordant pairs.
    """
    n, least = better + worse, min(better, worse)
    tail: float = sum(math.comb(n, count) for count in range(least + 1)) / 2**n
    return min(1.0, 2 * tail)


def _row(a: Sequence[float], b: Sequence[float]) -> dict[str, Any]:
    interval = paired_bootstrap(a, b, resamples=_RESAMPLES, seed=_SEED)
    # A tie within a problem (half solved) is on neither side: only what one solves and the other does not counts.
    better = sum(x > 0.5 > y for x, y in zip(a, b, strict=True))
    worse = sum(y > 0.5 > x for x, y in zip(a, b, strict=True))
    return {
        "difference": paired_difference(a, b).as_dict(),
        "low": interval.low,
        "high": interval.high,
        "better": better,
        "worse": worse,
        "mcnemar": mcnemar(better, worse),
    }
