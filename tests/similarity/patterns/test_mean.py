import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError, RunError
from prmkit.run.ranks import Process
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.patterns.mean import SumsOfCosines, set_means
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.measure import measure_of
from prmkit.similarity.statistics.set_means import SetMeans
from prmkit.similarity.statistics.table import similarity_table
from tests.similarity.conftest import family
from tests.similarity.patterns.written import Written, killed_at_each_file

# Unit vectors of four weights, in two layers of two: (.6 .8 0 0), (.8 .6 0 0), (0 0 0 1).
PATTERNS = [[3.0, 4.0, 0.0, 0.0], [8.0, 6.0, 0.0, 0.0], [0.0, 0.0, 0.0, 2.0]]
ONE_LAYER = [[(2, 1), (1, 2)]]
SETS = np.array([[True, True, False], [True, True, True]])
COSINES = [[1.0, 0.96, 0.0], [0.96, 1.0, 0.0], [0.0, 0.0, 1.0]]
SUMS = [[1.96, 1.96], [1.96, 1.96], [0.0, 1.0]]
"""Of the cosines of each response with those of the first set, and with all."""


def found(written: Written, members_SN: Any = SETS, folder: Path | None = None) -> SumsOfCosines:
    means = set_means(written.job, written.parts, written, members_SN, folder, Process())
    assert means is not None
    return means


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("shapes", [ONE_LAYER, [[(2, 1)], [(1, 2)]], [[(1, 4)]], [[(1, 1)]] * 4])
def test_sums_of_cosines_need_no_pairs(batch: int, shapes: Any) -> None:
    """However the weights are cut into matrices and layers."""
    means = found(Written(PATTERNS, shapes, batch=batch))
    np.testing.assert_allclose(means.cosine_NS, SUMS, rtol=1e-6)


def test_the_chance_level_of_a_pattern_is_how_flat_it_is() -> None:
    # |A|_1 / (|A|_2 sqrt P): (7/5, 14/10, 1) / sqrt 4.
    np.testing.assert_allclose(found(Written(PATTERNS, ONE_LAYER)).flatness_FN, [[0.7, 0.7, 0.5]], rtol=1e-6)


def test_a_response_weighs_the_same_whatever_the_size_of_its_gradient() -> None:
    larger = [[1000.0 * value for value in row] if n == 1 else row for n, row in enumerate(PATTERNS)]
    np.testing.assert_allclose(found(Written(larger, ONE_LAYER)).cosine_NS, SUMS, rtol=1e-6)


def test_layers_may_have_a_norm_of_their_own() -> None:
    """The score is then the mean of the layers' cosines: here of 0.96 and 1, and of 0.6 and 0.96."""
    patterns = [[3.0, 4.0, 1.0, 0.0], [8.0, 6.0, 2.0, 0.0], [0.0, 9.0, 7.0, 24.0]]
    means = found(Written(patterns, [[(1, 2)], [(2, 1)]], normalise="layer"), np.eye(3, dtype=bool))
    first = np.array([[1.0, 0.96, 0.8], [0.96, 1.0, 0.6], [0.8, 0.6, 1.0]])
    second = np.array([[1.0, 1.0, 0.28], [1.0, 1.0, 0.28], [0.28, 0.28, 1.0]])
    np.testing.assert_allclose(means.cosine_NS, (first + second) / 2, rtol=1e-6)
    # 1 / sqrt 2 of (7/5, 14/10, 1) and (1, 1, 31/25), and again of each, since two layers share the score.
    np.testing.assert_allclose(means.flatness_FN, np.array([[1.4, 1.4, 1.0], [1.0, 1.0, 1.24]]) / 2, rtol=1e-6)


def test_parts_of_one_layer_share_its_norm() -> None:
    written = Written(PATTERNS, [[(1, 2)], [(2, 1)]], normalise="layer")
    for part in written.parts:
        object.__setattr__(part, "layer", 5)
    np.testing.assert_allclose(found(written).cosine_NS, SUMS, rtol=1e-6)


def test_sums_that_do_not_fit_take_two_more_passes_and_change_nothing() -> None:
    small = Written(PATTERNS, ONE_LAYER, memory_gib=2 * 2 * 4 / 2**30)  # two values for each of two sets
    large = Written(PATTERNS, ONE_LAYER)
    np.testing.assert_allclose(found(small).cosine_NS, found(large).cosine_NS, rtol=1e-12)
    batches = len(large.job.batches)
    assert (large.reads, small.reads) == (3 * batches, 5 * batches)
    assert (large.done, small.done) == (3 * batches, 5 * batches)


def test_a_sum_of_which_one_row_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"^0\.1: the patterns over one row of a weight do not fit"):
        found(Written(PATTERNS, ONE_LAYER, memory_gib=3 * 4 / 2**30))


def test_a_set_of_one_response_is_a_set() -> None:
    one = found(Written(PATTERNS[:1], ONE_LAYER), np.array([[True]]))
    np.testing.assert_allclose(one.cosine_NS, [[1.0]], rtol=1e-6)


@pytest.mark.parametrize("normalise", ["whole", "layer"])
def test_a_response_without_a_pattern_is_named(normalise: str) -> None:
    patterns = [PATTERNS[0], [0.0] * 4, PATTERNS[2]]
    what = " of layer 0" if normalise == "layer" else ""
    with pytest.raises(RunError, match=rf"^1: every gradient{what} is zero, so there is no pattern to compare"):
        found(Written(patterns, ONE_LAYER, normalise=normalise))


def test_a_response_without_a_pattern_in_one_layer_is_named_where_layers_count_alone() -> None:
    shapes = [[(1, 2)], [(1, 2)]]
    patterns = [[3.0, 4.0, 1.0, 1.0], [8.0, 6.0, 0.0, 0.0], [1.0, 1.0, 2.0, 2.0]]
    with pytest.raises(RunError, match=r"^1: every gradient of layer 1 is zero, so there is no pattern to compare"):
        found(Written(patterns, shapes, normalise="layer"))
    # Together with the other layer it has one.
    assert np.isfinite(found(Written(patterns, shapes)).cosine_NS).all()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_pattern_that_is_no_number_names_its_response_and_layer(value: float) -> None:
    patterns = [PATTERNS[0], PATTERNS[1], [0.0, 0.0, value, 1.0]]
    with pytest.raises(RunError, match=r"^2: the gradient of layer 1 is not finite"):
        found(Written(patterns, [[(1, 2)], [(1, 2)]]))


@pytest.mark.parametrize("shapes", [ONE_LAYER, [[(2, 1)], [(1, 2)]]])
def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shapes: Any) -> None:
    def work(folder: Path) -> SumsOfCosines:
        return found(Written(PATTERNS, shapes, memory_gib=2 * 2 * 4 / 2**30), folder=folder)

    whole = work(tmp_path / "alone")
    again = list(killed_at_each_file(work, tmp_path, monkeypatch))
    assert len(again) == 2 * len(shapes)  # norms and dots of each part
    assert all([one.tobytes() for one in each] == [one.tobytes() for one in whole] for each in again)


def test_parts_that_are_kept_are_not_read_again(tmp_path: Path) -> None:
    first, again = Written(PATTERNS, ONE_LAYER), Written(PATTERNS, ONE_LAYER)
    once = found(first, folder=tmp_path)
    twice = found(again, folder=tmp_path)
    assert again.reads == 0
    assert [one.tobytes() for one in twice] == [one.tobytes() for one in once]


@pytest.mark.parametrize("normalise", ["whole", "layer"])
def test_means_are_those_of_the_gram(responses: list[Response], normalise: str) -> None:
    model = family("qwen2")
    sets = {"a": responses[:2], "b": responses[2:], "all": responses}
    config = SimilarityConfig(engine="mean", normalise=normalise)  # type: ignore[arg-type]
    means = compare(model, sets, config)
    gram = compare(model, sets, SimilarityConfig(engine="loop", normalise=normalise))  # type: ignore[arg-type]
    assert isinstance(gram, PatternGram)
    assert isinstance(means, SetMeans)
    for row, expected in zip(means.table(), similarity_table(gram, measure=measure_of(gram)), strict=True):
        assert (row.first, row.second, row.pairs) == (expected.first, expected.second, expected.pairs)
        assert row.mean == pytest.approx(expected.mean, rel=1e-5)
        assert row.chance == pytest.approx(expected.chance, rel=1e-5)


@pytest.mark.parametrize("shape", [{"batch_tokens": 1}, {"batch_tokens": 1000}, {"memory_gib": 2e-5}])
def test_batches_and_memory_change_nothing(
    model: PreTrainedModel, responses: list[Response], shape: dict[str, Any]
) -> None:
    sets = {"a": responses[:3], "b": responses[1:]}
    plain = compare(model, sets, SimilarityConfig(engine="mean"))
    other = compare(model, sets, SimilarityConfig(engine="mean", **shape))
    assert isinstance(plain, SetMeans)
    assert isinstance(other, SetMeans)
    np.testing.assert_allclose(other.sums, plain.sums, rtol=1e-5)
    np.testing.assert_allclose(other.flatness, plain.flatness, rtol=1e-5)


def test_the_order_of_the_responses_permutes_the_sums(model: PreTrainedModel, responses: list[Response]) -> None:
    forward = compare(model, {"all": responses, "some": responses[:2]}, SimilarityConfig(engine="mean"))
    backward = compare(model, {"all": responses[::-1], "some": responses[:2]}, SimilarityConfig(engine="mean"))
    assert isinstance(forward, SetMeans)
    assert isinstance(backward, SetMeans)
    np.testing.assert_allclose(backward.sums[::-1], forward.sums, rtol=1e-5)
    assert backward.sets["some"] == (3, 2)


@pytest.mark.parametrize("shard", ["layer", "rows"])
def test_processes_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard: str) -> None:
    """Five of them, more than there are rows in a part; all meet after the norms and again after the dots."""
    world, shapes = 5, [[(2, 1)], [(1, 2)]]
    alone, meeting = found(Written(PATTERNS, shapes)), threading.Barrier(world)
    monkeypatch.setattr(torch.distributed, "barrier", meeting.wait)

    def work(rank: int) -> SumsOfCosines | None:
        written = Written(PATTERNS, shapes, shard=shard)
        return set_means(written.job, written.parts, written, SETS, tmp_path, Process(rank, world))

    with ThreadPoolExecutor(world) as pool:
        first, *others = pool.map(work, range(world))
    assert others == [None] * 4
    assert first is not None
    np.testing.assert_allclose(first.cosine_NS, alone.cosine_NS, rtol=1e-6)
    np.testing.assert_allclose(first.flatness_FN, alone.flatness_FN, rtol=1e-6)
