import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from prmkit.models.checkpoint import load_prm
from prmkit.world import WEIGHTS
from prmkit.yaml_io import read_yaml
from tests.commands.conftest import ROOT, Answer

LABELLED = [
    {"prompt": f"{a}+{b}?", "completions": [f"{a}+{b}", str(a + b + wrong)], "labels": [True, wrong == 0]}
    for a in range(4)
    for b in range(3)
    for wrong in (0, 1)
]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in LABELLED))
    return path


@pytest.fixture
def recipe(tmp_path: Path, corpus: Path, backbone: str) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(
        f"stage: train\ndata: {{source: trl, path: {corpus}}}\nmodel: {{name: {backbone}, max_length: 64}}\n"
        "train: {batch_size: 8, lr: 1e-3, validation_share: 0.25, devices: 1}\n"
    )
    return path


def test_training_writes_a_checkpoint_a_record_that_replays_it_and_metrics(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    first = prmkit("train", recipe, "--out", tmp_path / "first", "--json")
    assert first.code == 0
    printed = json.loads(first.out)
    assert printed["corpus"]["kept"] == len(LABELLED)
    assert math.isfinite(printed["loss"])
    record = read_yaml(tmp_path / "first" / "run.yaml").values
    assert record["recipe"]["train"]["lr"] == 1e-3
    assert list(record["inputs"]) == [str(tmp_path / "corpus.jsonl")]
    again = prmkit("train", tmp_path / "first" / "run.yaml", "--out", tmp_path / "again", "--json")
    assert json.loads(again.out)["loss"] == printed["loss"]
    one, other = (load_prm(tmp_path / name / "checkpoint").prm.state_dict() for name in ("first", "again"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_an_existing_run_is_neither_overwritten_nor_mixed_up(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert prmkit("train", recipe, "--out", out).code == 0
    before = (out / "metrics.json").read_bytes()
    refused = prmkit("train", recipe, "--out", out)
    assert refused.code == 2
    assert refused.err.strip() == f"{out}: the folder is not empty. Give --resume, --overwrite or another --out."
    other = prmkit("train", recipe, "--set", "train.lr=2e-3", "--out", out, "--resume")
    assert other.code == 2
    assert "the recipe differs from that of the run at train.lr, got 0.002; expected 0.001" in other.err
    assert (out / "metrics.json").read_bytes() == before
    assert prmkit("train", recipe, "--out", out, "--resume").code == 0
    assert prmkit("train", recipe, "--out", out, "--overwrite").code == 0


def test_three_mistakes_are_reported_at_once_with_their_places(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    recipe.write_text(recipe.read_text().replace("lr: 1e-3", "learning_rate: 1e-3, epoch: 2, batch_size: many"))
    recipe.write_text(recipe.read_text().replace("batch_size: 8, ", ""))
    answer = prmkit("train", recipe, "--out", tmp_path / "run")
    lines = answer.err.strip().splitlines()
    assert (answer.code, answer.out, len(lines)) == (2, "", 3)
    assert all(line.startswith(f"{recipe}:4: ") for line in lines)
    assert any("unknown key train.epoch" in line and "Did you mean train.epochs?" in line for line in lines)
    assert any("unknown key train.learning_rate" in line and "Did you mean train.lr?" in line for line in lines)
    assert any("illegal train.batch_size, got 'many'" in line for line in lines)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "corpus.jsonl: no such file"),
        ("", "corpus.jsonl: the file holds no row"),
        ('{"prompt": "p", "completions": ["a"], "labels": [true]}\n{"prompt":\n', "corpus.jsonl:2: not JSON"),
    ],
)
def test_data_that_cannot_be_read_is_one_line(
    prmkit: Callable[..., Answer], recipe: Path, corpus: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    if content is None:
        corpus.unlink()
    else:
        corpus.write_text(content)
    answer = prmkit("train", recipe, "--out", tmp_path / "run")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not (tmp_path / "run" / "checkpoint").exists()


def test_a_recipe_of_another_verb_is_named(prmkit: Callable[..., Answer]) -> None:
    answer = prmkit("search", "prm800k/7b", "--dry-run")
    assert answer.code == 2
    assert "the recipe is for another verb, got 'train'; expected search. Run it with `prmkit train`." in answer.err


def test_a_dry_run_prints_origins_and_writes_nothing(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    for verb, name in (
        ("train", "code/72b"),
        ("annotate", "synthetic/annotate"),
        ("search", "synthetic/search-math"),
        ("similarity", "synthetic/similarity"),
    ):
        no_pilot = ("--set", "pilot=0") if verb == "annotate" else ()
        answer = prmkit(verb, name, "--out", tmp_path / "run", "--dry-run", "--set", "seed=7", *no_pilot, "--json")
        rows = {row["key"]: row for row in json.loads(answer.out)}
        assert rows["seed"] == {"key": "seed", "value": 7, "origin": "--set"}
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
@pytest.mark.parametrize(
    ("cell", "folder", "kept"), [("prm800k", "prm800k_raw", 5), ("math-shepherd", "math_shepherd", 7)]
)
def test_a_cell_of_the_grid_trains_on_real_rows_and_reloads_to_the_same_scores(
    prmkit: Callable[..., Answer], data_dir: Path, tmp_path: Path, backbone: str, cell: str, folder: str, kept: int
) -> None:
    answer = prmkit(
        "train",
        ROOT / "recipes" / cell / "0.5b.yaml",
        *("--set", f"data.path={data_dir / folder}", "--set", f"model.name={backbone}"),
        *("--set", "train.precision=32-true", "--set", "train.batch_size=4", "--set", "train.devices=1"),
        *("--out", tmp_path / "run", "--json"),
    )
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["corpus"]["kept"] == kept
    first, second = (load_prm(tmp_path / "run" / "checkpoint").prm for _ in range(2))
    ids_BT = torch.arange(40)[None]
    ends_BS = torch.tensor([[9, 39]])
    with torch.inference_mode():
        scores = [prm(ids_BT, torch.ones_like(ids_BT), ends_BS) for prm in (first, second)]
    assert torch.equal(*scores)


@pytest.mark.realdata
def test_real_problems_are_searched_graded_and_evaluated(
    prmkit: Callable[..., Answer], data_dir: Path, tmp_path: Path, backbone: str, recipe: Path
) -> None:
    assert prmkit("train", recipe, "--out", tmp_path / "prm").code == 0
    arguments = [
        "search",
        ROOT / "recipes" / "search" / "math500.yaml",
        *("--set", f"problems.path={data_dir}/math500/test500.jsonl", "--set", "problems.limit=5"),
        *("--set", f"generator.name={backbone}", "--set", "generator.dtype=float32"),
        *("--set", "generator.sampling.max_tokens=16", "--set", "strategy.options.n=2"),
        *("--set", f"scorer.checkpoint={tmp_path}/prm/checkpoint", "--out", tmp_path / "run", "--json"),
    ]
    found = prmkit(*arguments)
    assert found.code == 0, found.err
    assert json.loads(found.out)["accuracy"]["n"] == 5
    trees = (tmp_path / "run" / "trees.jsonl").read_bytes()
    resumed = prmkit(*arguments, "--resume")
    assert json.loads(resumed.out)["ledger"]["replayed"] >= 5
    assert (tmp_path / "run" / "trees.jsonl").read_bytes() == trees
    evaluation = prmkit("evaluate", tmp_path / "run", "--json")
    assert json.loads(evaluation.out)["selection"]["pass@2"]["n"] == 5
    assert prmkit("evaluate", tmp_path / "run").code == 2
