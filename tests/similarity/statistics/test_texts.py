import math
from dataclasses import replace

import pytest

from prmkit.similarity.statistics.texts import text_facts
from tests.similarity.grams import gram_of


def test_markers_lengths_and_verdicts_are_means_over_problems() -> None:
    sets = {"all": (0, 1, 2), "one": (0,)}
    gram = gram_of([(1.0,)] * 3, sets, ["a", "a", "b"], lengths=[10, 20, 40], correct=[True, False, None])
    gram = replace(gram, texts=("Wait, no.\nHmm.", "fine", "let me check\nb\nc"))
    everything, one = text_facts(gram)
    assert (everything.tokens.value, everything.tokens.n) == (pytest.approx(70 / 3), 2)
    assert everything.steps.value == pytest.approx(2.0)
    assert everything.rethinks.value == pytest.approx(2 / 3)
    assert everything.markers.value == pytest.approx((20.0 + 0.0 + 2.5) / 3)
    assert everything.right is None
    assert one.right is not None
    assert one.right.value == 1.0
    assert math.isnan(one.right.stderr)
    assert one.as_json()["right"] == {"value": 1.0, "stderr": None, "n": 1}


def test_a_marker_is_a_word_of_its_own() -> None:
    gram = gram_of([(1.0,)], {"all": (0,)}, lengths=[10])
    gram = replace(gram, texts=("awaiting, factually, double-check: correction",))
    assert text_facts(gram)[0].markers.value == pytest.approx(20.0)
