import math

import pytest

from prmkit.errors import InputError
from prmkit.stats import clustered_mean, mean, paired_bootstrap, paired_difference


def test_mean_and_its_standard_error() -> None:
    # 1, 2, 3: variance 1 (ddof 1), standard error sqrt(1 / 3).
    estimate = mean([1.0, 2.0, 3.0])
    assert (estimate.value, estimate.n) == (2.0, 3)
    assert estimate.stderr == pytest.approx(math.sqrt(1 / 3))


def test_one_value_has_no_standard_error() -> None:
    estimate = mean([0.5])
    assert math.isnan(estimate.stderr)
    assert (estimate.value, estimate.n) == (0.5, 1)


def test_clusters_that_agree_count_as_one_value_each() -> None:
    # Each of 0, 1, 1 written twice: six values, but no more known than from three.
    single = mean([0.0, 1.0, 1.0])
    doubled = clustered_mean([0.0, 0.0, 1.0, 1.0, 1.0, 1.0], ["a", "a", "b", "b", "c", "c"])
    assert doubled.value == pytest.approx(single.value)
    assert doubled.stderr == pytest.approx(single.stderr)
    assert doubled.n == 3


def test_clustered_standard_error_by_hand() -> None:
    # Mean 0.5; deviation sums 0 + 0 (cluster a: 0.5 - 0.5) and 0.5 + 0.5 - ... b holds 1, c holds 0: 0, .5, -.5.
    # Variance 3/2 * (0 + .25 + .25) / 4^2 = .75 / 16.
    estimate = clustered_mean([0.0, 1.0, 1.0, 0.0], ["a", "a", "b", "c"])
    assert estimate.stderr == pytest.approx(math.sqrt(0.75 / 16))


def test_pairing_removes_what_both_share() -> None:
    # The problems differ wildly, the difference is 0.1 on each: no error is left.
    estimate = paired_difference([0.1, 5.1, 9.1], [0.0, 5.0, 9.0])
    assert estimate.value == pytest.approx(0.1)
    assert estimate.stderr == pytest.approx(0.0, abs=1e-9)


def test_bootstrap_interval() -> None:
    a, b = [1.0, 0.0, 1.0, 1.0] * 25, [0.0, 0.0, 1.0, 0.0] * 25
    interval = paired_bootstrap(a, b, seed=3)
    assert interval == paired_bootstrap(a, b, seed=3)
    # Differences are 1 or 0, half each: 0.5 +- 1.96 * 0.5 / sqrt(100) = 0.402 to 0.598.
    assert interval.low == pytest.approx(0.402, abs=0.02)
    assert interval.high == pytest.approx(0.598, abs=0.02)
    # Constant differences have one resample: themselves.
    assert paired_bootstrap([1.0, 2.0], [0.0, 1.0], seed=0) == (1.0, 1.0)


@pytest.mark.parametrize("values", [[], [math.nan], [1.0, math.inf]])
def test_values_without_a_mean_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError):
        mean(values)


def test_unequal_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="unequal lengths"):
        paired_difference([1.0], [1.0, 2.0])
    with pytest.raises(InputError, match="unequal lengths"):
        paired_bootstrap([1.0], [1.0, 2.0], seed=0)
    with pytest.raises(InputError, match="unequal lengths"):
        clustered_mean([1.0, 2.0], ["a"])
