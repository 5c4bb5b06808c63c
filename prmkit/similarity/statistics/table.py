"""The layout of the paper's Table 2, and what else follows from a Gram in seconds."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations_with_replacement
from typing import Any

from prmkit.similarity.statistics.gram import Float64Array, PatternGram
from prmkit.similarity.statistics.measure import WHOLE, Measure, cosines, measure_of
from prmkit.similarity.statistics.random_selection import Stratum, pools_of, random_selection_test
from prmkit.similarity.statistics.scores import (
    PERCENT,
    SetScore,
    kernel_mean,
    kernel_score,
    set_score_difference,
    set_scores,
)
from prmkit.similarity.statistics.texts import text_facts

_TWO_SIDED_95 = 1.959964


def similarity_table(gram: PatternGram, measure: Measure = WHOLE) -> list[SetScore]:
    """One row a pair of sets: mean cosine x 100, its standard error, the sum, the chance level, the centred value.

    Each set also stands with itself: a score between domains says little without the scores within them.

    Raises:
        InputError: no such layer.
    """
    return set_scores(gram, _pairs(gram), measure)


def statistics(gram: PatternGram, *, seed: int, draws: int = 10_000, measure: Measure | None = None) -> dict[str, Any]:
    """All statistics of a Gram as JSON, by default by the measure that its configuration names.

    Keys: ``table`` (Table 2); ``profile`` (each pair by layer); ``differences`` (chosen sets less the sets they were
    chosen from, against the same other set, with 95 % intervals); ``random_selection`` (each such pair against random
    selection from the same candidates, with and without strata); ``baselines``; ``mmd`` (squared maximum mean
    discrepancy of sets that share no response); ``texts`` (lengths and rethinking markers).
    """
    measure = measure or measure_of(gram)
    pools = pools_of(gram)
    kernels = {"patterns": cosines(gram, measure), **gram.baselines}
    result: dict[str, Any] = {
        "table": [row.as_dict() for row in similarity_table(gram, measure)],
        "profile": _profile(gram, measure),
        "differences": [_difference(gram, *pair, pools, measure) for pair in _contrasts(gram, pools)],
        "random_selection": _holm(
            [
                random_selection_test(
                    gram, *pair, pools, strata=strata, draws=draws, seed=seed, kernel_NN=kernels["patterns"]
                ).as_dict()
                for strata in _possible_strata(gram, pools)
                for pair in _contrasts(gram, pools)
            ]
        ),
        "baselines": [
            {"baseline": name, "first": first, "second": second, **_shown(kernel_score(gram, first, second, kernel_NN))}
            for name, kernel_NN in gram.baselines.items()
            for first, second in _pairs(gram)
        ],
        "mmd": [
            {"kernel": name, "first": first, "second": second, "squared": squared_mmd(gram, first, second, kernel_NN)}
            for name, kernel_NN in kernels.items()
            for first, second in _pairs(gram)
            if not {*gram.rows(first)} & {*gram.rows(second)} and min(map(len, map(gram.rows, (first, second)))) > 1
        ],
        "texts": text_facts(gram),
    }
    return {key: value for key, value in result.items() if value}


def squared_mmd(gram: PatternGram, first: str, second: str, kernel_NN: Float64Array) -> float:
    """The unbiased squared maximum mean discrepancy of two sets under a kernel: 0 for samples of one distribution.

    Source: Gretton et al. 2012, Lemma 6.
    """
    within = [kernel_mean(gram, name, name, kernel_NN) for name in (first, second)]
    return (sum(within) - 2 * kernel_mean(gram, first, second, kernel_NN)) / PERCENT


def _pairs(gram: PatternGram) -> list[tuple[str, str]]:
    every = combinations_with_replacement(gram.sets, 2)
    return [(a, b) for a, b in every if len({*gram.rows(a), *gram.rows(b)}) > 1]


def _profile(gram: PatternGram, measure: Measure) -> list[dict[str, Any]]:
    """The mean cosine x 100 of each pair, layer by layer."""
    among = set(gram.layers) if measure.layers is None else set(measure.layers)
    layers = sorted(among, key=lambda layer: (layer < 0, layer))
    if len(layers) < 2:
        return []
    rows = []
    for layer in layers:
        cosine_NN = cosines(gram, replace(measure, layers=[layer]))
        means = {f"{first} - {second}": kernel_mean(gram, first, second, cosine_NN) for first, second in _pairs(gram)}
        rows.append({"layer": layer, **means})
    return rows


def _contrasts(gram: PatternGram, pools: Mapping[str, str]) -> list[tuple[str, str]]:
    """The pairs with a chosen set whose candidates the other side does not share."""
    origins = {name: pools.get(name, name) for name in gram.sets}
    return [
        (a, b)
        for a, b in _pairs(gram)
        if {a, b} & pools.keys() and not {*gram.rows(origins[a])} & {*gram.rows(origins[b])}
    ]


def _difference(
    gram: PatternGram, first: str, second: str, pools: Mapping[str, str], measure: Measure
) -> dict[str, Any]:
    other = pools.get(first, first), pools.get(second, second)
    found = set_score_difference(gram, (first, second), other, measure)
    reach = _TWO_SIDED_95 * found.stderr
    known = not math.isnan(reach)
    return {
        "pair": f"{first} - {second}",
        "less": f"{other[0]} - {other[1]}",
        "difference": found.value,
        "stderr": found.stderr if known else None,
        "low": found.value - reach if known else None,
        "high": found.value + reach if known else None,
        "problems": found.n,
    }


def _possible_strata(gram: PatternGram, pools: Mapping[str, str]) -> list[tuple[Stratum, ...]]:
    """Without strata, by length, and by correctness too where it is known."""
    known = all(gram.correct[row] is not None for pool in pools.values() for row in gram.rows(pool))
    return [(), ("length",), *([("correct",), ("correct", "length")] if known else [])]  # type: ignore[list-item]


def _holm(tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds p-values that are adjusted for the number of pairs tested under the same strata (Holm 1979)."""
    for strata in {test["strata"] for test in tests}:
        family = sorted((test for test in tests if test["strata"] == strata), key=lambda test: test["p_value"])
        least = 0.0
        for rank, test in enumerate(family):
            least = max(least, min(1.0, test["p_value"] * (len(family) - rank)))
            test["p_holm"] = least
    return tests


def _shown(score: SetScore) -> dict[str, Any]:
    return {"mean": score.mean, "stderr": None if math.isnan(score.stderr) else score.stderr}
