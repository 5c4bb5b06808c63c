from dataclasses import replace

import numpy as np
import pytest

from prmkit.errors import InputError
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.measure import Measure, cosines
from prmkit.similarity.statistics.scores import set_score_difference, set_scores
from prmkit.similarity.statistics.table import similarity_table, squared_mmd, statistics
from tests.similarity.grams import gram_of, set_score

A, B, C = (1.0, 0.0), (0.6, 0.8), (0.0, 2.0)


@pytest.fixture
def searched() -> PatternGram:
    """Three problems of each domain with two candidates each, in three layers; correctness is known of one domain."""
    patterns = np.random.default_rng(0).random((12, 9))
    return gram_of(
        patterns.tolist(),
        {"math": tuple(range(6)), "code": tuple(range(6, 12)), "math_prm": (0, 3, 4), "code_prm": (7, 8, 11)},
        [f"{domain}{number}" for domain in "mc" for number in range(3) for _ in range(2)],
        layers=3,
        lengths=[5, 9, 4, 7, 5, 5, 8, 2, 3, 3, 1, 6],
        correct=[True, False] * 6,
    )


def test_the_table_holds_every_pair_and_each_set_with_itself() -> None:
    gram = gram_of([A, B, C], {"one": (0, 1), "two": (2,)})
    assert [(row.first, row.second) for row in similarity_table(gram)] == [("one", "one"), ("one", "two")]
    with pytest.raises(InputError, match="no such set of responses, got 'three'; expected one of one, two"):
        set_scores(gram, [("one", "three")])


def test_statistics_are_those_of_the_pairs(searched: PatternGram) -> None:
    found = statistics(searched, seed=0, draws=100)
    cells = {(row.first, row.second): row for row in found.table}
    assert cells["math_prm", "code_prm"] == set_score(searched, "math_prm", "code_prm")
    profile = {row.layer: row.means["math - code"] for row in found.profile}
    assert profile[1] == pytest.approx(set_score(searched, "math", "code", Measure(layers=[1])).mean)
    difference = found.differences[-1]
    assert (difference.pair, difference.less) == ("math_prm - code_prm", "math - code")
    exact = set_score_difference(searched, ("math_prm", "code_prm"), ("math", "code"))
    assert difference.difference == pytest.approx(exact.value)
    assert difference.high - difference.low == pytest.approx(2 * 1.959964 * exact.stderr)
    assert {test.strata for test in found.random_selection} == {
        "none",
        "length",
        "correct",
        "correct and length",
    }
    assert statistics(searched, seed=0, draws=100) == found


def test_p_values_are_adjusted_for_the_pairs_of_their_family(searched: PatternGram) -> None:
    tests = [row for row in statistics(searched, seed=0, draws=100).random_selection if row.strata == "none"]
    ranked = sorted(tests, key=lambda row: row.p_value)
    assert len(ranked) == 3
    expected, least = [], 0.0
    for factor, row in zip((3, 2, 1), ranked, strict=True):
        least = max(least, min(1.0, factor * row.p_value))
        expected.append(least)
    assert [row.p_holm for row in ranked] == expected


def test_what_does_not_apply_is_left_out() -> None:
    found = statistics(gram_of([A, B, C], {"one": (0, 1), "two": (2,)}), seed=0, draws=10)
    assert {name for name, rows in found if rows} == {"table", "texts"}


def test_a_discrepancy_is_the_distance_of_the_mean_patterns() -> None:
    rng = np.random.default_rng(1)
    patterns = rng.random((9, 5))
    unit = patterns / np.linalg.norm(patterns, axis=1, keepdims=True)
    gram = gram_of(patterns.tolist(), {"one": (0, 1, 2, 3), "two": (4, 5, 6, 7, 8)})
    within = []
    for u in (unit[:4], unit[4:]):
        total, size = u.sum(axis=0), len(u)
        within.append((total @ total - size) / (size * (size - 1)))
    expected = sum(within) - 2 * unit[:4].mean(axis=0) @ unit[4:].mean(axis=0)
    assert squared_mmd(gram, "one", "two", cosines(gram)) == pytest.approx(expected)


def test_baselines_are_scored_in_the_same_way(searched: PatternGram) -> None:
    kernel_NN = np.full((12, 12), 0.25)
    rows = statistics(replace(searched, baselines={"flat": kernel_NN}), seed=0, draws=10).baselines
    assert len(rows) == 10
    assert all(row.mean == pytest.approx(0.25) and row.stderr == pytest.approx(0.0, abs=1e-11) for row in rows)
