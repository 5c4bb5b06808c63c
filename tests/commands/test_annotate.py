"""``prmkit annotate`` from recipe to labelled trees."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.trees_io import read_trees
from prmkit.world import WEIGHTS
from tests.commands.conftest import ROOT, Answer

RECIPE = f"""\
stage: annotate
problems: [{{benchmark: synthetic-math, limit: 3, seed: 11, options: {{split: train}}}}]
generator: {{name: {WEIGHTS / "policy"}, sampling: {{max_tokens: 160}}}}
solutions: 2
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "labels.yaml"
    path.write_text(RECIPE)
    return path


def test_a_run_labels_every_step_and_a_resumed_one_asks_nothing(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    options = ("--set", "annotators=[{options: {rollouts: 2}}]", "--out", tmp_path / "run", "--json")
    found = json.loads(prmkit("annotate", recipe, *options).out)
    trees = list(read_trees(tmp_path / "run" / "trees.jsonl"))
    assert found["problems"] == found["trees"] == len(trees) == 3
    assert found["labelled"] == found["steps"] == sum(map(len, trees))
    written = (tmp_path / "run" / "trees.jsonl").read_bytes()
    again = json.loads(prmkit("annotate", recipe, *options, "--resume").out)
    assert again["ledger"] == found["ledger"]
    assert (tmp_path / "run" / "trees.jsonl").read_bytes() == written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("annotators=[{estimator: omgea}]", "unknown label estimator, got 'omgea'"),
        ("annotators=[{options: {rollout: 2}}]", "wrong options for estimator monte-carlo (rollout:"),
        ("annotators=[{name: a}, {name: b}]", "a consensus needs several annotators, and they need one"),
        ("consensus={}", "a consensus needs several annotators"),
        ("annotators=[{name: a}, {name: a}]", "two annotators have one name"),
        ("annotators=[{name: problems}]", "problems names another file of the run folder"),
        ("problems=[]", "it names neither problems nor data"),
        ("data=[{source: trl, path: gone.jsonl}]", "gone.jsonl: no such file"),
        ("generator.name=/gone", "/gone"),
    ],
)
def test_what_is_wrong_is_said_before_the_run_begins(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path, change: str, message: str
) -> None:
    answer = prmkit("annotate", recipe, "--set", change, "--out", tmp_path / "run")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert not (tmp_path / "run").exists()


def test_a_dry_run_of_an_annotation_tells_what_it_will_cost(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    policy = ("--set", f"generator.name={WEIGHTS / 'policy'}", "--set", "pilot=4")
    answer = prmkit("annotate", "synthetic/annotate", *policy, "--out", tmp_path / "run", "--dry-run", "--json")
    rows = {row["key"]: row for row in json.loads(answer.out)}
    assert rows["expected.problems"]["value"] == 400
    # Of each problem three solutions; 4 rollouts of each of their 3 to 6 steps but the last, if no two share a step.
    assert 400 * 3 < rows["expected.rollouts"]["value"] <= 400 * (3 + 3 * 6 * 4)
    assert rows["expected.tokens"]["value"] > rows["expected.rollouts"]["value"]
    assert rows["expected.cpu_hours"]["value"] > 0
    assert not (tmp_path / "run").exists()


@pytest.mark.realdata
def test_the_aslaf_recipe_annotates_real_rows_anew(
    prmkit: Callable[..., Answer], data_dir: Path, tmp_path: Path, backbone: str
) -> None:
    shepherd = f"{{source: math-shepherd, path: {data_dir}/math_shepherd, limit: 2}}"
    members = "{name: rollouts, estimator: binary-search, options: {rollouts: 1}}, {name: judge, estimator: judge}"
    answer = prmkit(
        *("annotate", ROOT / "recipes" / "annotate" / "aslaf.yaml", "--out", tmp_path / "run", "--json"),
        *("--set", f"data=[{{source: prm800k, path: {data_dir}/prm800k_raw, limit: 2}}, {shepherd}]"),
        *("--set", f"answers=[{{source: gsm8k, path: {data_dir}/gsm8k/train.jsonl.gz}}]"),
        *("--set", f"generator.name={backbone}", "--set", "generator.dtype=float32"),
        *("--set", "generator.engine={name: transformers}", "--set", "generator.memory=null"),
        *("--set", "generator.sampling.max_tokens=4", "--set", f"annotators=[{members}]"),
    )
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert [part["kept"] for part in found["read"]["corpora"]] == [2, 2]
    # Math-Shepherd has no answers, and its questions are GSM8K's; PRM800K knows its own.
    assert (found["read"]["answered"], found["read"]["unanswered"]) == (2, 0)
    report = found["consensus"]
    # Pencils have 10 leaves and the senate 4; Math-Shepherd's rows are paths. A random model never gives a verdict.
    assert report["solutions"] == 10 + 4 + 2
    assert report["kept"] == 0
    assert sum(report["dropped"].values()) == 16
    assert (found["trees"], (tmp_path / "run" / "trees.jsonl").read_bytes()) == (0, b"")
