import asyncio
import math
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import RunError
from prmkit.generate import server
from prmkit.generate.server import Server
from prmkit.models.foreign.adapters import load_any_prm, read_prm
from prmkit.score import PrmConfig, Scorer, Scores, load_scorer
from prmkit.score.config import PoolingEngine
from prmkit.score.server import ServerScorer
from prmkit.score.transformers import TransformersScorer
from prmkit.tree import StepTree
from tests.contracts.scorer import ScorerContract, forked
from tests.fake_server import FakeServer
from tests.served import VLLM, run


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FIRST_PAUSE", 0.01)


def scorer(fake: FakeServer, prm_folder: Path, **options: Any) -> ServerScorer:
    engine = PoolingEngine(**{"name": "server", "url": fake.url} | options)
    return ServerScorer(Server(engine), read_prm(str(prm_folder)))


def score(engine: Scorer) -> Scores:
    return asyncio.run(engine.score(forked(), [3, 0]))


class TestVllmServe(ScorerContract):
    pytestmark = VLLM

    tolerance = 1e-4

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, prm_url: str, prm_folder: Path) -> Scorer:
        cls.transformers = TransformersScorer(load_any_prm(str(prm_folder)))
        engine = PoolingEngine(name="server", url=prm_url)
        return load_scorer(PrmConfig(checkpoint=str(prm_folder), engine=engine))[0]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return run(work)

    def reference(self, engine: Scorer, tree: StepTree, node: int) -> float:
        return float(run(self.transformers.score(tree, [node])).values[0])


def test_scores_are_the_sigmoid_of_the_row_at_each_step_end(prm_folder: Path) -> None:
    with FakeServer() as fake:
        found = score(scorer(fake, prm_folder))
        ids, ends = read_prm(str(prm_folder)).encoder.path_ids(forked().problem, ["a b", "c", "a"])
        logits = [ids[ends[2]] % 7 - 3, ids[ends[0]] % 7 - 3]
        assert found.values == pytest.approx([1 / (1 + math.exp(-logit)) for logit in logits])
        assert [body["input"] for body in fake.asked] == [ids]  # both steps are read off one request
        assert (found.tokens, found.cached_tokens) == (len(ids), 0)


def test_a_broken_answer_is_asked_for_again_and_never_a_score(prm_folder: Path) -> None:
    with FakeServer() as fake:
        engine = scorer(fake, prm_folder, retries=4)
        good = score(engine)
        fake.faults = [500, b"{}", b'{"data": []}', b'{"data": [{"data": [[null]]}]}']
        assert score(engine) == good
        fake.faults = [b"{}"] * 5
        with pytest.raises(RunError, match=r"no answer in 5 tries \(an answer without rows of logits: \{\}\)"):
            score(engine)


def test_rows_of_step_tags_alone_name_the_option_that_serves_all(prm_folder: Path) -> None:
    with FakeServer() as fake:
        engine = scorer(fake, prm_folder)
        fake.faults = [b'{"data": [{"data": [[0.1, 0.9]]}]}']
        with pytest.raises(RunError, match=r"answered 1 rows for .* --pooler-config"):
            score(engine)


def test_nan_ends_the_run(prm_folder: Path) -> None:
    with FakeServer() as fake:
        engine = scorer(fake, prm_folder)
        length = len(read_prm(str(prm_folder)).encoder.path_ids(forked().problem, ["a b", "c", "a"])[0])
        fake.faults = [f'{{"data": [{{"data": {[["nan"]] * length}}}]}}'.replace("'", '"').encode()]
        with pytest.raises(RunError, match="scored a step NaN"):
            score(engine)
