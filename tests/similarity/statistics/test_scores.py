import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.similarity.statistics.measure import cosines
from prmkit.similarity.statistics.scores import set_score_difference
from tests.similarity.grams import gram_of, set_score

# Cosines: a-b 0.6, a-c 0, b-c 0.8.
A, B, C = (1.0, 0.0), (0.6, 0.8), (0.0, 2.0)


def test_a_score_is_the_mean_over_the_pairs_and_the_sum_beside_it() -> None:
    gram = gram_of([A, B, C], {"one": (0,), "two": (1, 2)})
    score = set_score(gram, "one", "two")
    assert (score.mean, score.sum, score.pairs) == (pytest.approx(0.3), pytest.approx(0.6), 2)


def test_a_response_is_never_paired_with_itself() -> None:
    score = set_score(gram_of([A, B, C], {"all": (0, 1, 2)}), "all", "all")
    assert score.pairs == 6
    assert score.mean == pytest.approx((0.6 + 0.0 + 0.8) / 3)
    with pytest.raises(InputError, match="no pair of different responses"):
        set_score(gram_of([A], {"all": (0,)}), "all", "all")


def test_the_chance_level_by_hand() -> None:
    # |A|_1 |B|_1 / (P |A|_2 |B|_2) = 1 * 1.4 / (2 * 1 * 1).
    gram = gram_of([A, B], {"one": (0,), "two": (1,)})
    assert set_score(gram, "one", "two").chance == pytest.approx(0.7)


def jackknife(means: list[float]) -> float:
    spread = np.array(means)
    return math.sqrt((len(means) - 1) / len(means) * ((spread - spread.mean()) ** 2).sum())


def test_the_error_leaves_out_one_problem_at_a_time() -> None:
    rng = np.random.default_rng(0)
    patterns = rng.random((6, 5))
    problems = ["a", "a", "b", "b", "c", "c"]
    gram = gram_of(patterns.tolist(), {"all": tuple(range(6))}, problems)
    cosine_NN = cosines(gram)
    means = []
    for left_out in "abc":
        rows = [row for row in range(6) if problems[row] != left_out]
        means.append(np.mean([cosine_NN[i, j] for i in rows for j in rows if i != j]))
    assert set_score(gram, "all", "all").stderr == pytest.approx(jackknife(means))


def test_sets_without_a_common_problem_are_sampled_apart() -> None:
    rng = np.random.default_rng(1)
    gram = gram_of(rng.random((7, 5)).tolist(), {"one": (0, 1, 2, 3), "two": (4, 5, 6)})
    cosine_AB = cosines(gram)[:4, 4:]
    rows, columns = cosine_AB.mean(axis=1), cosine_AB.mean(axis=0)
    expected = math.sqrt(rows.var(ddof=1) / 4 + columns.var(ddof=1) / 3)
    assert set_score(gram, "one", "two").stderr == pytest.approx(expected)


def test_one_problem_has_no_error() -> None:
    score = set_score(gram_of([A, B], {"all": (0, 1)}, ["p", "p"]), "all", "all")
    assert math.isnan(score.stderr)
    assert score.as_json()["stderr"] is None


def test_a_difference_knows_that_both_share_responses() -> None:
    gram = gram_of([A, B, C], {"one": (0, 1), "other": (2,)})
    same = set_score_difference(gram, ("one", "other"), ("one", "other"))
    assert (same.value, same.n) == (0.0, 3)
    gram = gram_of([A, B, C, B], {"all": (0, 1), "chosen": (1,), "other": (2, 3)})
    found = set_score_difference(gram, ("chosen", "other"), ("all", "other"))
    assert found.value == pytest.approx((0.8 + 1.0) / 2 - (0.0 + 0.6 + 0.8 + 1.0) / 4)


@settings(max_examples=50)
@given(st.integers(2, 6), st.integers(0, 2**16))
def test_scores_do_not_depend_on_the_length_of_a_pattern(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patterns = rng.random((count, 4)) + 0.01
    scaled = patterns * rng.uniform(0.1, 10, size=(count, 1))
    sets = {"all": tuple(range(count))}
    one, other = (set_score(gram_of(each.tolist(), sets), "all", "all") for each in (patterns, scaled))
    assert (one.mean, one.chance) == (pytest.approx(other.mean), pytest.approx(other.chance))
    assert one.centred == pytest.approx(other.centred, abs=1e-8)


def test_a_score_is_the_dot_of_the_mean_unit_vectors() -> None:
    rng = np.random.default_rng(2)
    patterns = rng.random((7, 9))
    unit = patterns / np.linalg.norm(patterns, axis=1, keepdims=True)
    gram = gram_of(patterns.tolist(), {"one": (0, 1, 2), "two": (3, 4, 5, 6)})
    assert set_score(gram, "one", "two").mean == pytest.approx(unit[:3].mean(axis=0) @ unit[3:].mean(axis=0))
    within = unit[:3].mean(axis=0)
    assert set_score(gram, "one", "one").mean == pytest.approx((9 * within @ within - 3) / 6)


def test_the_chance_level_is_what_shuffled_patterns_score() -> None:
    rng = np.random.default_rng(3)
    one, two = rng.random(50) ** 6, rng.random(50) ** 6
    gram = gram_of([one.tolist(), two.tolist()], {"one": (0,), "two": (1,)})
    norms = np.linalg.norm(one) * np.linalg.norm(two)
    shuffled = [rng.permutation(one) @ two / norms for _ in range(4000)]
    assert set_score(gram, "one", "two").chance == pytest.approx(np.mean(shuffled), abs=0.01)
