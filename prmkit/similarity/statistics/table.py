"""The layout of the paper's Table 2, and what else follows from a Gram in seconds."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations_with_replacement

from prmkit.similarity.statistics.gram import Float64Array, PatternGram
from prmkit.similarity.statistics.measure import WHOLE, Measure, cosines, measure_of
from prmkit.similarity.statistics.random_selection import Stratum, pools_of, random_selection_test
from prmkit.similarity.statistics.result import (
    BaselineScore,
    Discrepancy,
    LayerProfile,
    SelectionTest,
    SetDifference,
    SetScore,
    Statistics,
)
from prmkit.similarity.statistics.scores import kernel_mean, kernel_score, set_score_difference, set_scores
from prmkit.similarity.statistics.texts import text_facts

_TWO_SIDED_95 = 1.959964


def similarity_table(gram: PatternGram, measure: Measure = WHOLE) -> list[SetScore]:
    """One row a pair of sets: mean cosine, its standard error, the sum, the chance level, the centred value.

    Each set also stands with itself: a score between domains says little without the scores within them.

    Raises:
        InputError: no such layer.
    """
    return set_scores(gram, _pairs(gram), measure)


def statistics(gram: PatternGram, *, seed: int, draws: int = 10_000, measure: Measure | None = None) -> Statistics:
    """All statistics of a Gram, by default by the measure that its configuration names.

    Args:
        gram: of the sets.
        seed: of the random selections.
        draws: of each test.
        measure: which parts of the patterns, and how.
    """
    measure = measure or measure_of(gram)
    pools = pools_of(gram)
    kernels = {"patterns": cosines(gram, measure), **gram.baselines}
    return Statistics(
        table=similarity_table(gram, measure),
        profile=_profile(gram, measure),
        differences=[_difference(gram, *pair, pools, measure) for pair in _contrasts(gram, pools)],
        random_selection=_holm(
            [
                random_selection_test(
                    gram, *pair, pools, strata=strata, draws=draws, seed=seed, kernel_NN=kernels["patterns"]
                )
                for strata in _possible_strata(gram, pools)
                for pair in _contrasts(gram, pools)
            ]
        ),
        baselines=[
            BaselineScore(baseline=name, first=first, second=second, mean=score.mean, stderr=score.stderr)
            for name, kernel_NN in gram.baselines.items()
            for first, second in _pairs(gram)
            for score in [kernel_score(gram, first, second, kernel_NN)]
        ],
        mmd=[
            Discrepancy(kernel=name, first=first, second=second, squared=squared_mmd(gram, first, second, kernel_NN))
            for name, kernel_NN in kernels.items()
            for first, second in _pairs(gram)
            if not {*gram.rows(first)} & {*gram.rows(second)} and min(map(len, map(gram.rows, (first, second)))) > 1
        ],
        texts=text_facts(gram),
    )


def squared_mmd(gram: PatternGram, first: str, second: str, kernel_NN: Float64Array) -> float:
    """The unbiased squared maximum mean discrepancy of two sets under a kernel: 0 for samples of one distribution.

    Source: Gretton et al. 2012, Lemma 6.
    """
    within = [kernel_mean(gram, name, name, kernel_NN) for name in (first, second)]
    return sum(within) - 2 * kernel_mean(gram, first, second, kernel_NN)


def _pairs(gram: PatternGram) -> list[tuple[str, str]]:
    every = combinations_with_replacement(gram.sets, 2)
    return [(a, b) for a, b in every if len({*gram.rows(a), *gram.rows(b)}) > 1]


def _profile(gram: PatternGram, measure: Measure) -> list[LayerProfile]:
    """The mean cosine of each pair, layer by layer."""
    among = set(gram.layers) if measure.layers is None else set(measure.layers)
    layers = sorted(among, key=lambda layer: (layer < 0, layer))
    if len(layers) < 2:
        return []
    rows = []
    for layer in layers:
        cosine_NN = cosines(gram, replace(measure, layers=[layer]))
        means = {f"{first} - {second}": kernel_mean(gram, first, second, cosine_NN) for first, second in _pairs(gram)}
        rows.append(LayerProfile(layer=layer, means=means))
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
) -> SetDifference:
    other = pools.get(first, first), pools.get(second, second)
    found = set_score_difference(gram, (first, second), other, measure)
    reach = _TWO_SIDED_95 * found.stderr
    return SetDifference(
        pair=f"{first} - {second}",
        less=f"{other[0]} - {other[1]}",
        difference=found.value,
        stderr=found.stderr,
        low=found.value - reach,
        high=found.value + reach,
        problems=found.n,
    )


def _possible_strata(gram: PatternGram, pools: Mapping[str, str]) -> list[tuple[Stratum, ...]]:
    """Without strata, by length, and by correctness too where it is known."""
    known = all(gram.correct[row] is not None for pool in pools.values() for row in gram.rows(pool))
    return [(), ("length",), *([("correct",), ("correct", "length")] if known else [])]  # type: ignore[list-item]


def _holm(tests: list[SelectionTest]) -> list[SelectionTest]:
    """With p-values that are adjusted for the number of pairs tested under the same strata (Holm 1979)."""
    adjusted: dict[int, float] = {}
    for strata in {test.strata for test in tests}:
        family = sorted(
            (number for number, test in enumerate(tests) if test.strata == strata),
            key=lambda number: tests[number].p_value,
        )
        least = 0.0
        for rank, number in enumerate(family):
            least = max(least, min(1.0, tests[number].p_value * (len(family) - rank)))
            adjusted[number] = least
    return [test.model_copy(update={"p_holm": adjusted[number]}) for number, test in enumerate(tests)]
