import math
from dataclasses import replace

import numpy as np
import pytest

from prmkit.errors import InputError
from prmkit.similarity.statistics.measure import Measure, chance_cosines, cosines, measure_of
from tests.similarity.grams import gram_of

A = (1.0, 0.0)


def test_layers_are_taken_together_or_alone() -> None:
    gram = gram_of([(1.0, 0.0, 1.0, 0.0), (1.0, 0.0, 0.0, 3.0)], {"all": (0, 1)}, layers=2)
    assert cosines(gram)[0, 1] == pytest.approx(1 / math.sqrt(2 * 10))
    assert cosines(gram, Measure(layers=[0]))[0, 1] == pytest.approx(1.0)
    assert cosines(gram, Measure(layers=[1]))[0, 1] == pytest.approx(0.0)
    with pytest.raises(InputError, match=r"no such layers in the Gram, got \[2\]"):
        cosines(gram, Measure(layers=[2]))


def test_a_pattern_that_is_zero_has_no_cosine() -> None:
    with pytest.raises(InputError, match="p1: a pattern is zero"):
        cosines(gram_of([A, (0.0, 0.0)], {"all": (0, 1)}))


def test_each_layer_may_have_a_norm_of_its_own() -> None:
    gram = gram_of([(1.0, 0.0, 1.0, 0.0), (1.0, 0.0, 0.0, 3.0)], {"all": (0, 1)}, layers=2)
    assert cosines(gram, Measure(normalise="layer"))[0, 1] == pytest.approx((1.0 + 0.0) / 2)
    # |A|_1 |B|_1 / (P |A|_2 |B|_2) is 1/2 in each layer.
    assert chance_cosines(gram, Measure(normalise="layer"))[0, 1] == pytest.approx(0.5)
    assert measure_of(replace(gram, origin={"normalise": "layer"})).normalise == "layer"


def test_kinds_are_taken_together_or_alone() -> None:
    gram = gram_of([(1.0, 0.0, 1.0, 0.0), (1.0, 0.0, 0.0, 3.0)], {"all": (0, 1)}, layers=2)
    gram = replace(gram, layers=(0, 0), kinds=("attention", "mlp"))
    assert cosines(gram, Measure(kind="attention"))[0, 1] == pytest.approx(1.0)
    assert cosines(gram, Measure(kind="mlp"))[0, 1] == pytest.approx(0.0)
    with pytest.raises(InputError, match="no such part in the Gram, got 'norm'"):
        cosines(gram, Measure(kind="norm"))


def test_the_centred_value_is_pearsons_correlation() -> None:
    rng = np.random.default_rng(0)
    patterns = rng.random((3, 20))
    gram = gram_of(patterns.tolist(), {"all": (0, 1, 2)}, layers=4)
    np.testing.assert_allclose(cosines(gram, Measure(centred=True)), np.corrcoef(patterns), atol=1e-12)
    with pytest.raises(InputError, match="a pattern is zero"):
        cosines(gram_of([(1.0, 1.0), A], {"all": (0, 1)}), Measure(centred=True))
