"""Copies without a cluster; those of a real one are tested with the generators'."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.generate.config import LocalEngine, TransformersEngine
from prmkit.models.foreign.adapters import read_prm
from prmkit.score import PrmConfig, ScorerConfig, load_engine, load_scorer, replicas
from prmkit.score.replicas import ReplicatedScorer
from prmkit.score.transformers import TransformersScorer
from prmkit.tree import Problem, StepTree
from tests.contracts.scorer import NODES, ScorerContract, forked


class Copies:
    """One copy, in this process. Writes down what is asked of it."""

    def __init__(self, engine: LocalEngine, build: Callable[[], Any]) -> None:
        self.engine, self.asked = engine, list[tuple[object, str]]()
        self.copy = build()

    async def call(self, problem: object, method: str, *arguments: Any) -> Any:
        self.asked.append((problem, method))
        return await getattr(self.copy, method)(*arguments)


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch, prm_folder: Path) -> ReplicatedScorer:
    monkeypatch.setattr(replicas, "Replicas", Copies)
    engine = TransformersEngine(workers="ray", replicas=3, gpus=0.5)
    scorer, source = load_engine(PrmConfig(checkpoint=str(prm_folder), engine=engine))
    assert source == "human"  # as the checkpoint says
    assert isinstance(scorer, ReplicatedScorer)
    return scorer


def copies(scorer: ReplicatedScorer) -> Copies:
    assert isinstance(scorer._replicas, Copies)
    return scorer._replicas


class TestContract(ScorerContract):
    @pytest.fixture
    def engine(self, scorer: ReplicatedScorer) -> ReplicatedScorer:  # type: ignore[override]
        return scorer


def test_a_copy_scores_as_the_engine_in_this_process(scorer: ReplicatedScorer, prm_folder: Path) -> None:
    here, _ = load_engine(PrmConfig(checkpoint=str(prm_folder)))
    assert copies(scorer).engine.replicas == 3
    assert type(copies(scorer).copy) is type(here)  # a copy does not ask for copies of its own
    found, expected = (asyncio.run(one.score(forked(), NODES)) for one in (scorer, here))
    assert found == expected


def test_all_requests_of_a_problem_go_to_one_copy_and_those_of_another_may_not(scorer: ReplicatedScorer) -> None:
    for problem, nodes in (("p", [0]), ("q", [1]), ("p", [3, 4])):
        asyncio.run(scorer.score(forked(problem), nodes))
    assert copies(scorer).asked == [("p", "score"), ("q", "score"), ("p", "score")]


def test_nodes_of_any_kind_reach_a_copy_in_their_order(scorer: ReplicatedScorer) -> None:
    orders = [asyncio.run(scorer.score(forked(), nodes)) for nodes in ([3, 0], (3, 0), range(3, -1, -3))]
    assert len({scores.values for scores in orders}) == 1


def test_a_path_fits_up_to_the_last_token_of_the_context(prm_folder: Path) -> None:
    text = read_prm(str(prm_folder))
    tree = forked()
    length = len(text.encoder.path_ids(tree.problem, tree.steps(3))[0])
    for context, fits in ((length, True), (length - 1, False)):
        scorer = ReplicatedScorer(None, replace(text, context=context))  # type: ignore[arg-type]
        assert scorer.fits(tree, 3) == fits
        assert scorer.fits(tree, 0)  # the shorter path of its first step


def test_an_error_of_a_copy_is_that_error(scorer: ReplicatedScorer) -> None:
    long = StepTree.from_steps(Problem(id="long", prompt="a"), ["b " * 5000])
    assert not scorer.fits(long, 0)
    with pytest.raises(InputError, match="longer than the PRM's context"):
        asyncio.run(scorer.score(long, [0]))


def test_what_is_no_prm_is_refused_before_any_copy_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(replicas, "Replicas", lambda *_: pytest.fail("started a copy"))
    engine = TransformersEngine(workers="ray")
    with pytest.raises(InputError, match="the folder is empty"):
        load_scorer(PrmConfig(checkpoint=str(tmp_path), engine=engine))


def test_a_copy_is_told_of_windows_and_makes_none(monkeypatch: pytest.MonkeyPatch, prm_folder: Path) -> None:
    monkeypatch.setattr(replicas, "Replicas", Copies)
    engine = TransformersEngine(workers="ray", replicas=3, gpus=0.5)
    reading, here = (
        load_scorer(ScorerConfig(checkpoint=str(prm_folder), engine=each, reads="answer"))[0]
        for each in (engine, TransformersEngine())
    )
    assert isinstance(reading.scorer, ReplicatedScorer)
    assert isinstance(copies(reading.scorer).copy, TransformersScorer)
    # Two of the three long steps fit into the context of 1,024 tokens at a time; the thought between them is not read.
    tree = StepTree(Problem(id="p", prompt="a"))
    for text in ("a " * 200, "b " * 200, "", "c " * 200):
        tree.add(len(tree) - 1, text or "c", thought=not text)
    found, expected = (asyncio.run(one.score(tree, range(4))) for one in (reading, here))
    assert found == expected
    assert found.windowed == 1
    assert [name for name, _ in copies(reading.scorer).asked] == ["p"] * 3
