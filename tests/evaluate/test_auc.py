import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.evaluate.auc import auc, placements


def test_ties_count_half() -> None:
    # Pairs (right, wrong): .9 > .5, .9 > .1, .5 = .5, .5 > .1: (1 + 1 + 1/2 + 1) / 4.
    assert auc([0.9, 0.5, 0.5, 0.1], [True, True, False, False]) == 0.875
    assert auc([0.3, 0.3], [True, False]) == 0.5


def test_one_kind_alone_has_no_auc() -> None:
    assert math.isnan(auc([0.1, 0.2], [True, True]))
    assert math.isnan(auc([], []))


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=2, max_size=12))
def test_equals_the_count_over_all_pairs(items: list[tuple[int, bool]]) -> None:
    right = [score for score, good in items if good]
    wrong = [score for score, good in items if not good]
    if not (right and wrong):
        return
    wins = sum((a > b) + 0.5 * (a == b) for a in right for b in wrong)
    scores, kinds = [float(score) for score, _ in items], [good for _, good in items]
    assert auc(scores, kinds) == pytest.approx(wins / len(right) / len(wrong))
    placed = placements(scores, kinds)
    assert placed[[not kind for kind in kinds]].mean() == pytest.approx(auc(scores, kinds))
