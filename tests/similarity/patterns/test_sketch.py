import math
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import RunError
from prmkit.run.ranks import Process
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.patterns.parameters import MERGED
from prmkit.similarity.patterns.sketch import pair_error, sketched
from prmkit.similarity.patterns.store import PartGram
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.measure import cosines
from tests.similarity.patterns.written import Written, killed_at_each_file

PATTERNS = [
    [3.0, 4.0, 0.0, 1.0],
    [8.0, 6.0, 0.0, 2.0],
    [0.0, 0.0, 5.0, 2.0],
    [1.0, 1.0, 1.0, 1.0],
    [0.0, 2.0, 0.0, 0.0],
]
SHAPES = [[(1, 2)], [(2, 1)]]


@pytest.fixture(autouse=True)
def small_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file for each batch."""
    monkeypatch.setattr("prmkit.similarity.patterns.sketch._CHUNK", 1)


def found(written: Written, folder: Path | None = None, process: Process | None = None) -> list[PartGram]:
    parts, grams = sketched(written.job, written.parts, written, folder, process or Process())
    assert [(part.layer, part.kind, part.size) for part in parts] == [(MERGED, "sketch", 4)]
    return grams


def gram_of(written: Written) -> PartGram:
    (gram,) = found(written)
    return gram


def test_norms_and_sums_are_exact() -> None:
    gram = gram_of(Written(PATTERNS, SHAPES, sketch_width=2))  # so narrow that every dot is wrong
    np.testing.assert_allclose(gram.gram.diagonal(), [26, 104, 29, 4, 4])
    np.testing.assert_allclose(gram.l1, [8, 16, 7, 4, 2])
    assert gram.predicted.tolist() == [100, 101, 102, 103, 104]
    np.testing.assert_array_equal(gram.gram, gram.gram.T)


def test_a_wide_sketch_keeps_every_value_apart() -> None:
    """Four values in 65,536 buckets: no two of these meet, so the dots are exact too."""
    patterns = np.array(PATTERNS)
    np.testing.assert_allclose(gram_of(Written(PATTERNS, SHAPES)).gram, patterns @ patterns.T)


def test_dots_are_right_on_average_and_off_by_what_is_stated() -> None:
    """Over many ways to hash, each of weights of another name."""
    width, trials = 16, 400
    values = np.random.default_rng(0).random((2, 64))
    first, second = values / np.linalg.norm(values, axis=1, keepdims=True)
    dots = []
    for trial in range(trials):
        written = Written([first.tolist(), second.tolist()], [[(1, 64)]], name=f"{trial} ", sketch_width=width)
        _, (gram,) = sketched(written.job, written.parts, written, None, Process())
        dots.append(gram.gram[0, 1])
    cosine = float(first @ second)
    error = math.sqrt((1 + cosine**2) / width)
    assert np.mean(dots) == pytest.approx(cosine, abs=4 * error / math.sqrt(trials))
    assert np.std(dots) == pytest.approx(error, rel=0.2)


@pytest.mark.parametrize(("width", "error"), [(65_536, 0.005524), (20_000, 0.01), (2, 1.0)])
def test_the_error_of_a_pair_by_hand(width: int, error: float) -> None:
    assert pair_error(width) == pytest.approx(error, abs=1e-6)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_batches_change_nothing(batch: int) -> None:
    narrow = [gram_of(Written(PATTERNS, SHAPES, batch=size, sketch_width=3)) for size in (3, batch)]
    np.testing.assert_allclose(narrow[1].gram, narrow[0].gram, rtol=1e-6)
    assert narrow[1].predicted.tolist() == narrow[0].predicted.tolist()


def test_what_does_not_fit_is_hashed_in_pieces() -> None:
    """Rows one by one."""
    small = Written(PATTERNS, SHAPES, memory_gib=1e-9)
    np.testing.assert_allclose(gram_of(small).gram, gram_of(Written(PATTERNS, SHAPES)).gram)
    assert small.reads == small.done == len(small.job.batches)  # the responses are read once


def test_a_killed_run_goes_on_to_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(folder: Path) -> list[PartGram]:
        return found(Written(PATTERNS, SHAPES, sketch_width=3), folder)

    (whole,) = work(tmp_path / "alone")
    again = list(killed_at_each_file(work, tmp_path, monkeypatch))
    assert len(again) == 3  # a file a batch
    assert all([one.tobytes() for one in each] == [one.tobytes() for one in whole] for (each,) in again)


def test_sketches_that_are_kept_are_not_read_again(tmp_path: Path) -> None:
    (once,) = found(Written(PATTERNS, SHAPES), tmp_path)
    again = Written(PATTERNS, SHAPES)
    (twice,) = found(again, tmp_path)
    assert again.reads == 0
    np.testing.assert_array_equal(twice.gram, once.gram)


def test_a_file_holds_enough_responses_to_be_worth_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.similarity.patterns.sketch._CHUNK", 3)
    found(Written(PATTERNS, SHAPES), tmp_path)  # batches of 2, 2 and 1
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("world", [2, 4])
def test_processes_share_the_responses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: int) -> None:
    """Three batches: of four processes one has nothing to do."""
    (alone,) = found(Written(PATTERNS, SHAPES, sketch_width=3))
    meeting = threading.Barrier(world)
    monkeypatch.setattr(torch.distributed, "barrier", meeting.wait)
    works = [Written(PATTERNS, SHAPES, sketch_width=3) for _ in range(world)]
    with ThreadPoolExecutor(world) as pool:
        first, *others = pool.map(lambda rank: found(works[rank], tmp_path, Process(rank, world)), range(world))
    assert others == [[]] * (world - 1)
    np.testing.assert_array_equal(first[0].gram, alone.gram)
    assert first[0].predicted.tolist() == alone.predicted.tolist()
    assert sorted(work.reads for work in works) == {2: [1, 2], 4: [0, 1, 1, 1]}[world]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_pattern_that_is_no_number_names_its_response(value: float) -> None:
    patterns: Any = [*PATTERNS[:3], [0.0, value, 0.0, 1.0], PATTERNS[4]]
    with pytest.raises(RunError, match=r"^3: the gradient of the model is not finite"):
        found(Written(patterns, SHAPES))


def test_a_sketch_of_a_model_is_off_by_its_stated_error(model: PreTrainedModel, responses: list[Response]) -> None:
    def gram(**options: Any) -> PatternGram:
        found = compare(model, {"all": responses}, SimilarityConfig(**options))
        assert isinstance(found, PatternGram)
        return found

    exact, errors = gram(engine="loop"), []
    for width in (512, 8192):
        found = gram(engine="sketch", sketch_width=width)
        assert (found.layers, found.kinds) == ((-2,), ("sketch",))
        np.testing.assert_allclose(np.diag(found.grams[0]), exact.grams.sum(axis=0).diagonal(), rtol=1e-5)
        off = (cosines(found) - cosines(exact))[np.triu_indices(4, 1)]
        errors.append(np.sqrt(np.mean(off**2)))
        assert errors[-1] < 3 * np.sqrt(2 / width)
    assert errors[1] < errors[0]
