import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.run.ranks import Process
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.measure import cosines
from prmkit.similarity.statistics.random_selection import random_selection_test
from prmkit.similarity.statistics.set_means import SetMeans
from prmkit.similarity.statistics.table import similarity_table
from tests.similarity.conftest import family


def test_sets_go_in_and_a_table_comes_out(model: PreTrainedModel, responses: list[Response]) -> None:
    gram = compare(model, {"a": responses[:2], "b": responses[2:]}, SimilarityConfig())
    assert isinstance(gram, PatternGram)
    within, between, other = similarity_table(gram)
    cosine_NN = cosines(gram)
    assert (within.first, within.second, within.mean) == ("a", "a", pytest.approx(cosine_NN[0, 1]))
    assert (between.first, between.second, between.pairs) == ("a", "b", 4)
    assert between.mean == pytest.approx(cosine_NN[:2, 2:].mean())
    assert other.mean == pytest.approx(cosine_NN[2, 3])


def test_the_gram_tells_what_it_is_of(model: PreTrainedModel, responses: list[Response]) -> None:
    gram = compare(model, {"all": responses}, SimilarityConfig(target="logit_sum"))
    assert isinstance(gram, PatternGram)
    assert gram.problem_ids == ("a", "a", "b", "b")
    assert gram.lengths == (2, 4, 1, 3)
    assert gram.texts[0] == responses[0].text
    assert (gram.origin["target"], gram.origin["dtype"]) == ("logit_sum", "float32")


@pytest.mark.parametrize("engine", ["auto", "mean", "sketch"])
def test_a_set_without_responses_is_named(model: PreTrainedModel, responses: list[Response], engine: Any) -> None:
    config = SimilarityConfig(engine=engine)
    with pytest.raises(InputError, match=r"^math: empty set of responses; expected at least one$"):
        compare(model, {"code": responses, "math": []}, config)
    with pytest.raises(InputError, match="no set of responses"):
        compare(model, {}, config)


def test_a_response_of_two_sets_has_one_row_and_a_copy_has_its_own(
    model: PreTrainedModel, responses: list[Response]
) -> None:
    gram = compare(model, {"all": responses, "chosen": responses[1:2]}, SimilarityConfig())
    assert isinstance(gram, PatternGram)
    assert gram.sets == {"all": (0, 1, 2, 3), "chosen": (1,)}
    twice = compare(model, {"all": [responses[0], responses[0]]}, SimilarityConfig())
    assert isinstance(twice, PatternGram)
    assert twice.sets == {"all": (0, 1)}
    assert cosines(twice)[0, 1] == pytest.approx(1.0)


def test_a_single_response_has_a_gram_and_no_score(model: PreTrainedModel, responses: list[Response]) -> None:
    gram = compare(model, {"one": responses[:1]}, SimilarityConfig())
    assert isinstance(gram, PatternGram)
    assert cosines(gram).tolist() == [[pytest.approx(1.0)]]
    assert similarity_table(gram) == []


@pytest.mark.parametrize(
    "options",
    [
        {"engine": "loop"},
        {"engine": "hooks"},
        {"engine": "hooks", "memory_gib": 1e-5},
        {"engine": "layersync"},
        {"engine": "layersync", "layers": (1, 2)},
        {"engine": "mean"},
        {"engine": "mean", "memory_gib": 2e-5},
        {"engine": "sketch", "sketch_width": 64},
        {"engine": "auto", "parameters": "all"},
    ],
)
def test_who_watches_is_told_of_as_many_batches_as_were_announced(
    model: PreTrainedModel, responses: list[Response], options: dict[str, Any]
) -> None:
    announced: list[int] = []
    done: list[None] = []
    open_bars = 0

    @contextmanager
    def progress(total: int) -> Any:
        nonlocal open_bars
        announced.append(total)
        open_bars += 1
        yield lambda: done.append(None)
        open_bars -= 1

    config = SimilarityConfig(batch_tokens=10, **options)
    compare(model, {"a": responses[:3], "b": responses}, config, progress=progress)
    assert announced == [len(done)]
    assert len(done) >= 1
    assert open_bars == 0


def numbers(found: Any) -> list[np.ndarray]:
    return [found.grams, found.l1] if isinstance(found, PatternGram) else [found.sums, found.flatness]


@pytest.mark.parametrize(
    ("engine", "shard"), [("mean", "layer"), ("mean", "rows"), ("sketch", "layer"), ("layersync", "rows")]
)
def test_of_several_processes_the_first_gets_what_one_alone_finds(
    responses: list[Response], engine: Any, shard: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prmkit.similarity.patterns.sketch._CHUNK", 1)
    sets = {"one": responses[:3], "two": responses[1:]}
    config = SimilarityConfig(engine=engine, shard=shard, batch_tokens=12)
    models, both = [family("qwen2"), family("qwen2")], threading.Barrier(2)
    alone = compare(models[0], sets, config)
    monkeypatch.setattr(torch.distributed, "barrier", both.wait)

    def work(rank: int) -> PatternGram | SetMeans | None:
        return compare(models[rank], sets, config, folder=tmp_path, process=Process(rank, 2))

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(work, range(2))
    assert second is None
    for one, other in zip(numbers(first), numbers(alone), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_selection_is_tested_on_the_same_gram(model: PreTrainedModel, responses: list[Response]) -> None:
    """Two problems of two candidates each: four selections, of which one was made."""
    chosen = [responses[0], responses[2]]
    other = [Response(problem_id="o", ids=(9, 8, 7), prompt_length=1, text="o")]
    gram = compare(model, {"all": responses, "chosen": chosen, "other": other}, SimilarityConfig())
    assert isinstance(gram, PatternGram)
    found = random_selection_test(gram, "chosen", "other", {"chosen": "all"}, draws=50, seed=0)
    cosine_N = cosines(gram)[:, 4]
    assert found.observed == pytest.approx(cosine_N[[0, 2]].mean())
    every = [cosine_N[[a, b]].mean() for a in (0, 1) for b in (2, 3)]
    assert found.expected == pytest.approx(np.mean(every))
