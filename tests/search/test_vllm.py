"""Strategies on real vLLM engines, policy and PRM."""

from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.generate import Generator, Sampling
from prmkit.generate.config import VllmEngine
from prmkit.generate.format import PolicyFormat
from prmkit.generate.text import PolicyText
from prmkit.models.tokenizer import load_tokenizer
from prmkit.score import PrmConfig, load_scorer
from prmkit.search.options import StrategyConfig
from prmkit.search.problem_set import search
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.tree import Problem
from prmkit.trees_io import read_trees
from tests.served import EAGER, VLLM, run

pytestmark = VLLM

PROBLEMS = [Problem(id=f"p{index}", prompt=f"We add {index} and two.", answer="4") for index in range(3)]


@pytest.fixture(scope="module")
def engines(vllm_generator: Generator, policy_folder: Path, prm_folder: Path) -> Engines:
    scorer, _ = load_scorer(PrmConfig(checkpoint=str(prm_folder), engine=VllmEngine(**EAGER)))
    text = PolicyText(load_tokenizer(str(policy_folder)), PolicyFormat())
    return Engines(generator=vllm_generator, text=text, sampling=Sampling(max_tokens=60), scorer=scorer, seed=3)


@pytest.mark.parametrize(
    ("name", "options"), [("best-of-n", {"n": 4}), ("beam", {"n": 4, "width": 2}), ("mcts", {"n": 3, "width": 2})]
)
def test_a_strategy_runs_end_to_end_and_replays(
    engines: Engines, tmp_path: Path, name: str, options: dict[str, bool | int | float | str]
) -> None:
    config = StrategyConfig(name=name, options=options)
    recorded = replace(engines, journal=Journal(tmp_path / "journal.jsonl"))
    found = search(PROBLEMS, recorded, config, tmp_path / "trees.jsonl", run=run)
    assert found.accuracy.n == 3
    assert found.ledger.decode_tokens > 0
    trees = list(read_trees(tmp_path / "trees.jsonl"))
    assert all(len(tree) > 0 for tree in trees)
    again = search(PROBLEMS, recorded, config, tmp_path / "again.jsonl", run=run)
    assert again.ledger.replayed == found.ledger.generator_calls + found.ledger.prm_calls
    assert list(read_trees(tmp_path / "again.jsonl")) == trees
