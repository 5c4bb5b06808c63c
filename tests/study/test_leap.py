"""Curves that were made to have a leap, or none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.study.leap import find_leap

PLATEAU_LEAP_RISE = [42.0, 43.0, 41.5, 42.5, 70.0, 76.0, 78.0, 79.0, 80.0, 80.5]


def test_a_plateau_a_leap_and_a_slow_rise() -> None:
    leap = find_leap(PLATEAU_LEAP_RISE, [2.0] * 10)
    assert (leap.start, leap.end, leap.height) == (3, 4, 27.5)


def test_a_leap_that_takes_two_evaluations() -> None:
    curve = [0.50, 0.51, 0.50, 0.50, 0.66, 0.83, 0.85, 0.86, 0.87]
    leap = find_leap(curve, [0.01] * 9)
    assert (leap.start, leap.end) == (3, 5)


@pytest.mark.parametrize(
    ("curve", "why"),
    [
        ([10.0 * step for step in range(10)], "no short stretch"),  # a steady rise
        ([50.0] * 10, "no short stretch"),
        ([80.0, 70.0, 60.0, 50.0, 40.0], "no short stretch"),
        ([80 - 40 * math.exp(-step) for step in range(10)], "no plateau before"),  # it rises at once
        ([50.0, 51.0, 49.0, 50.5, 51.5, 50.0, 49.5], "no short stretch"),  # noise, for errors of 2
    ],
)
def test_curves_without_one(curve: list[float], why: str) -> None:
    leap = find_leap(curve, [2.0] * len(curve))
    assert not leap.found
    assert why in leap.why


def test_what_stands_within_the_noise_is_no_leap() -> None:
    assert find_leap(PLATEAU_LEAP_RISE, [2.0] * 10).found
    assert not find_leap(PLATEAU_LEAP_RISE, [8.0] * 10).found  # 76.0 - 42.5 < 3 x 8 x sqrt 2


@given(st.lists(st.integers(0, 100), min_size=5, max_size=12), st.integers(1, 9), st.integers(-50, 50))
def test_scale_and_offset_of_a_curve_mean_nothing(curve: list[int], factor: int, offset: int) -> None:
    one, other = find_leap(curve), find_leap([factor * value + offset for value in curve])
    assert (one.start, one.end) == (other.start, other.end)


def test_too_few_points() -> None:
    with pytest.raises(InputError, match="too few points to find a leap in, got 4"):
        find_leap([1, 2, 3, 4])
