"""A search from a recipe, by the engines that the recipe names."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from prmkit.models.checkpoint import CheckpointMeta, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.score.transformers import TransformersScorer
from prmkit.trees_io import read_trees
from prmkit.yaml_io import dump_yaml
from tests.commands.conftest import ROOT, Answer
from tests.served import EAGER
from tests.tiny import tiny_backbone, tiny_tokenizer


def recipe(folder: Path, generator: dict[str, Any], scorer: dict[str, Any]) -> Path:
    """Best of 4 on generated problems."""
    file = folder / "recipe.yaml"
    values = {
        "stage": "search",
        "problems": {"benchmark": "synthetic-math", "limit": 4},
        "generator": {"sampling": {"max_tokens": 400}, **generator},
        "scorer": scorer,
        "strategy": {"name": "best-of-n", "options": {"n": 4}},
    }
    file.write_bytes(dump_yaml(values).encode())
    return file


def scores_of(run: Path) -> list[float]:
    trees = list(read_trees(run / "trees.jsonl"))
    assert len(trees) == 4
    return [node.score for tree in trees for node in tree if node.score is not None]


@pytest.mark.vllm
@pytest.mark.timeout(900)
def test_vllm_searches_and_prints_nothing_but_json(
    vllm_cpu: None, policy_folder: Path, prm_folder: Path, tmp_path: Path
) -> None:
    file = recipe(
        tmp_path,
        {"name": str(policy_folder), "engine": EAGER},
        {"checkpoint": str(prm_folder), "engine": EAGER},
    )
    command = [sys.executable, ROOT / "cli.py", "search", file, "--out", tmp_path / "run", "--json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    ledger = json.loads(done.stdout)["ledger"]
    assert ledger["generations"] == 16
    assert ledger["generator_flops"] > 0
    assert ledger["prm_tokens"] > 0
    assert all(0 <= score <= 1 for score in scores_of(tmp_path / "run"))


@pytest.mark.vllm
@pytest.mark.timeout(900)
def test_servers_search(
    prmkit: Callable[..., Answer], policy_url: str, prm_url: str, policy_folder: Path, prm_folder: Path, tmp_path: Path
) -> None:
    file = recipe(
        tmp_path,
        {"name": str(policy_folder), "engine": {"name": "openai", "url": policy_url}},
        {"checkpoint": str(prm_folder), "engine": {"name": "server", "url": prm_url}},
    )
    answer = prmkit("search", file, "--out", tmp_path / "run", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["ledger"]["prm_tokens"] > 0
    assert scores_of(tmp_path / "run")


def test_an_ensemble_with_a_baseline_searches(
    prmkit: Callable[..., Answer], policy_folder: Path, prm_folder: Path, tmp_path: Path
) -> None:
    members = [{"checkpoint": str(prm_folder)}, {"engine": {"name": "shortest"}}]
    file = recipe(
        tmp_path,
        {"name": str(policy_folder)},
        {"engine": {"name": "ensemble", "members": members, "consensus": "min"}, "aggregation": "last"},
    )
    answer = prmkit("search", file, "--out", tmp_path / "run", "--json")
    assert answer.code == 0, answer.err
    scores = scores_of(tmp_path / "run")
    assert scores
    assert max(scores) <= 1 / 2  # no solution is shorter than a character


def test_policy_and_prm_need_not_share_a_tokenizer_and_an_engine_may_be_ones_own(
    prmkit: Callable[..., Answer], policy_folder: Path, tmp_path: Path
) -> None:
    name = tiny_backbone(tmp_path / "words", tokenizer=tiny_tokenizer(), context=2048)
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
    save_prm(PRM.from_backbone(name, ModelConfig(name=name, max_length=64)), tiny_tokenizer(), tmp_path / "prm", meta)
    own = {"name": "prmkit.generate.transformers:load_generator"}
    file = recipe(tmp_path, {"name": str(policy_folder), "engine": own}, {"checkpoint": str(tmp_path / "prm")})
    answer = prmkit("search", file, "--out", tmp_path / "run", "--json")
    assert answer.code == 0, answer.err
    scorer = TransformersScorer(load_prm(tmp_path / "prm"))
    for tree in read_trees(tmp_path / "run" / "trees.jsonl"):
        scored = [node for node in range(len(tree)) if tree.nodes[node].score is not None]
        again = asyncio.run(scorer.score(tree, scored)).values
        assert again == pytest.approx([tree.nodes[node].score for node in scored], abs=1e-5)


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ({"name": "vlm"}, "illegal generator.engine, got {'name': 'vlm'}; expected an engine with a name among"),
        ({"name": "vllm", "tensor_paralel_size": 2}, "Did you mean generator.engine.tensor_parallel_size?"),
        ({"replicas": 2}, "replicas and gpus go with workers: ray"),
        ({"name": "openai", "url": "localhost:8000"}, "illegal generator.engine.url, got 'localhost:8000'"),
        ({"name": "no_such_package:engine"}, "cannot import the generator engine"),
    ],
)
def test_a_wrong_engine_is_one_clear_line(
    prmkit: Callable[..., Answer], tmp_path: Path, engine: dict[str, Any], message: str
) -> None:
    file = recipe(tmp_path, {"name": "policy", "engine": engine}, {"engine": {"name": "random"}})
    answer = prmkit("search", file, "--out", tmp_path / "run")
    assert answer.code == 2
    assert message in answer.err
    assert not (tmp_path / "run").exists()


def test_a_prm_needs_a_checkpoint_and_a_baseline_none(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    for scorer, message in (
        ({}, "engine transformers needs a checkpoint"),
        ({"engine": {"name": "random"}, "checkpoint": "prm"}, "engine random reads no checkpoint"),
    ):
        answer = prmkit("search", recipe(tmp_path, {"name": "policy"}, scorer), "--out", tmp_path / "run")
        assert answer.code == 2
        assert message in answer.err


def test_vllm_and_ray_say_how_to_install_them(
    prmkit: Callable[..., Answer], policy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, engine in (("vllm", {"name": "vllm"}), ("ray", {"workers": "ray"})):
        monkeypatch.setitem(sys.modules, module, None)  # importing it fails, as where it is missing
        file = recipe(tmp_path, {"name": str(policy_folder), "engine": engine}, {"engine": {"name": "random"}})
        answer = prmkit("search", file, "--out", tmp_path / "run")
        assert answer.code == 2
        assert f"pip install 'prmkit[{module}]'" in answer.err
