"""``prmkit train`` from recipe to checkpoint, and its plan."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from prmkit.models.checkpoint import load_prm
from prmkit.yaml_io import read_yaml
from tests.commands.conftest import ROOT, Answer


def test_training_writes_a_checkpoint_a_record_that_replays_it_and_metrics(
    prmkit: Callable[..., Answer], train_recipe: Path, tmp_path: Path
) -> None:
    first = prmkit("train", train_recipe, "--out", tmp_path / "first", "--json")
    assert first.code == 0
    printed = json.loads(first.out)
    assert printed["corpus"]["kept"] == 24
    assert math.isfinite(printed["loss"])
    record = read_yaml(tmp_path / "first" / "run.yaml").values
    assert record["recipe"]["train"]["lr"] == 1e-3
    assert list(record["inputs"]) == [str(tmp_path / "corpus.jsonl")]
    again = prmkit("train", tmp_path / "first" / "run.yaml", "--out", tmp_path / "again", "--json")
    assert json.loads(again.out)["loss"] == printed["loss"]
    one, other = (load_prm(tmp_path / name / "checkpoint").prm.state_dict() for name in ("first", "again"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_an_existing_run_is_neither_overwritten_nor_mixed_up(
    prmkit: Callable[..., Answer], train_recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert prmkit("train", train_recipe, "--out", out).code == 0
    before = (out / "metrics.json").read_bytes()
    refused = prmkit("train", train_recipe, "--out", out)
    assert refused.code == 2
    assert refused.err.strip() == f"{out}: the folder is not empty. Give --resume, --overwrite or another --out."
    other = prmkit("train", train_recipe, "--set", "train.lr=2e-3", "--out", out, "--resume")
    assert other.code == 2
    assert "the recipe differs from that of the run at train.lr, got 0.002; expected 0.001" in other.err
    assert (out / "metrics.json").read_bytes() == before
    assert prmkit("train", train_recipe, "--out", out, "--resume").code == 0
    assert prmkit("train", train_recipe, "--out", out, "--overwrite").code == 0


def test_three_mistakes_are_reported_at_once_with_their_places(
    prmkit: Callable[..., Answer], train_recipe: Path, tmp_path: Path
) -> None:
    train_recipe.write_text(
        train_recipe.read_text().replace("lr: 1e-3", "learning_rate: 1e-3, epoch: 2, batch_size: many")
    )
    train_recipe.write_text(train_recipe.read_text().replace("batch_size: 8, ", ""))
    answer = prmkit("train", train_recipe, "--out", tmp_path / "run")
    lines = answer.err.strip().splitlines()
    assert (answer.code, answer.out, len(lines)) == (2, "", 3)
    assert all(line.startswith(f"{train_recipe}:4: ") for line in lines)
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
    prmkit: Callable[..., Answer], train_recipe: Path, corpus: Path, tmp_path: Path, content: str | None, message: str
) -> None:
    if content is None:
        corpus.unlink()
    else:
        corpus.write_text(content)
    answer = prmkit("train", train_recipe, "--out", tmp_path / "run")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not (tmp_path / "run" / "checkpoint").exists()


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


def test_a_plan_tells_what_a_machine_would_do_and_trains_nothing(
    prmkit: Callable[..., Answer], train_recipe: Path, tmp_path: Path
) -> None:
    arguments = ("train", train_recipe, "--out", tmp_path / "run", "--plan")
    plan = json.loads(prmkit(*arguments, "8xH100", "--json").out)
    # 8 sequences on each of 8 devices, 64 tokens each.
    assert (plan["machine"], plan["step"]["sequences"], plan["step"]["tokens"]) == ("8xH100", 64, 8 * 8 * 64)
    assert (plan["fits"], plan["mfu"], plan["hours"]) == (True, 0.45, None)
    whole = json.loads(prmkit(*arguments, "8xH100", "--mfu", 0.9, "--tokens", 3 * 8 * 8 * 64, "--json").out)
    assert whole["step"]["seconds"] == pytest.approx(plan["step"]["seconds"] / 2)
    assert whole["hours"] == pytest.approx(3 * whole["step"]["seconds"] / 3600)
    table = prmkit(*arguments, "H100", "--set", "train.batch_size=16").out
    assert [line.split() for line in table.splitlines() if line.startswith("step.seq")] == [["step.sequences", "16"]]
    assert not (tmp_path / "run").exists()


TENSOR_PARALLEL = ("--set", "train.strategy=fsdp2", "--set", "train.tensor_parallel=2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--plan", "8xH10"), "--plan: no such machine, got '8xH10'; expected 8xH100; known: "),
        (("--plan", "H100", "--set", "train.lr=-1"), "illegal train.lr, got -1"),
        (("--plan", "3xH100", *TENSOR_PARALLEL), "train.tensor_parallel: the devices do not divide"),
        (("--plan", "H100", "--mfu", "2"), "Invalid value for '--mfu'"),
    ],
)
def test_a_plan_of_what_cannot_be_is_refused(
    prmkit: Callable[..., Answer], train_recipe: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = prmkit("train", train_recipe, *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
