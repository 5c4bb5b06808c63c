"""``prmkit train`` from recipe to checkpoint, and its plan."""

import csv
import json
import math
import os
import shutil
import subprocess
import sys
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
    prmkit: Callable[..., Answer], train_recipe: Path, tmp_path: Path, backbone: str
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
    shutil.copytree(backbone, tmp_path / "kept")
    own = ["--set", f"model.name={tmp_path / 'kept'}"]
    assert prmkit("train", train_recipe, *own, "--out", tmp_path / "own").code == 0
    (tmp_path / "kept" / "generation_config.json").write_text("{}")
    answer = prmkit("train", train_recipe, *own, "--out", tmp_path / "own", "--resume")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.strip() == (
        f"backbone {tmp_path / 'kept'}: the generation config differs from that of the run. "
        "Resume with the one that the run began with, or choose another --out."
    )
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


COUNTING = """
import os
from prmkit.sources.trl import tree_of as trl

def tree_of(row, where):
    with open(os.environ["ROWS_READ"], "a") as file:
        file.write(where + "\\n")
    return trl(row, where)
"""


@pytest.fixture
def counted(train_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Trains by the command line, with some ranks; tells the places of all rows that were read until now."""
    (tmp_path / "counting.py").write_text(COUNTING)
    train_recipe.write_text(train_recipe.read_text().replace("source: trl", "source: 'counting:tree_of'"))
    monkeypatch.setenv("ROWS_READ", str(tmp_path / "read"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")

    def run(out: str, *options: str, ranks: int = 1, code: int = 0) -> list[str]:
        torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"] if ranks > 1 else []
        command = [sys.executable, *torchrun, "-m", "prmkit.commands", "train", str(train_recipe)]
        done = subprocess.run([*command, "--out", str(tmp_path / out), *options], timeout=240, cwd=ROOT)
        assert done.returncode == code
        return (tmp_path / "read").read_text().splitlines()

    return run


@pytest.mark.slow
@pytest.mark.parametrize("packing", ["tree", "sequence", "none"])
def test_ranks_share_what_is_prepared_once_and_learn_what_one_does(
    counted: Callable[..., list[str]], corpus: Path, tmp_path: Path, packing: str
) -> None:
    # Each step reads all rows, so that it is the same step however many ranks share it.
    shape = (f"train.packing={packing}", "train.epochs=3", "train.validations_per_epoch=1", "train.batch_size=32")
    shape += ("model.head_dropout=0",)  # it is drawn for each batch of each rank
    shape = tuple(part for setting in shape for part in ("--set", setting))
    rows = [f"{corpus}:{number}" for number in range(1, 25)]
    two = ("--set", "train.devices=2", "--set", "train.batch_size=16", "--set", "train.strategy=ddp")
    assert counted("two", *shape, *two, ranks=2) == rows
    assert counted("one", *shape) == rows
    assert counted("faster", *shape, "--set", "train.lr=2e-3", "--set", "train.hard_above=0.5") == rows
    losses = [read_history(tmp_path / name / "history.csv") for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)
    assert counted("other", *shape, "--set", "model.max_length=63") == [*rows, *rows]


def read_history(file: Path) -> list[float]:
    with file.open(newline="", encoding="utf-8") as stream:
        return [float(row[name]) for row in csv.DictReader(stream) for name in ("train_loss", "loss")]


def test_a_plan_counts_the_tokens_that_are_prepared(prmkit: Callable[..., Answer], train_recipe: Path) -> None:
    before = json.loads(prmkit("train", train_recipe, "--plan", "1xH100", "--json").out)
    assert before["hours"] is None
    made = json.loads(prmkit("data", "prepare", train_recipe, "--json").out)
    assert (made["prepared"], made["rows"], made["labels"]) == ("made", 24, 48)
    again = json.loads(prmkit("data", "prepare", train_recipe, "--json").out)
    assert (again["prepared"], again["tokens"], again["bytes"]) == ("there", made["tokens"], made["bytes"])
    plan = json.loads(prmkit("train", train_recipe, "--plan", "1xH100", "--set", "train.epochs=3", "--json").out)
    # A quarter of the problems is held out.
    steps = 3 * 0.75 * made["tokens"] / plan["step"]["tokens"]
    assert plan["hours"] == pytest.approx(steps * plan["step"]["seconds"] / 3600, rel=0.01)


def test_data_can_be_prepared_for_devices_that_are_not_here(prmkit: Callable[..., Answer], train_recipe: Path) -> None:
    assert prmkit("data", "prepare", train_recipe, "--set", "train.devices=4096", "--json").code == 0


def test_a_run_of_prepared_data_keeps_the_bad_rows_and_their_count(
    prmkit: Callable[..., Answer], train_recipe: Path, corpus: Path, tmp_path: Path
) -> None:
    with corpus.open("a", encoding="utf-8") as file:
        file.write('{"prompt": 5}\n')
    few = ("--set", "data.max_bad=0.1")
    assert prmkit("data", "prepare", train_recipe, *few).code == 0
    out = tmp_path / "run"
    result = json.loads(prmkit("train", train_recipe, *few, "--out", out, "--json").out)
    assert (result["corpus"]["read"], result["corpus"]["quarantined"]) == (25, 1)
    (bad,) = map(json.loads, (out / "quarantine.jsonl").read_text().splitlines())
    assert bad["where"] == f"{corpus}:25"
    assert 0 <= result["data_seconds"] <= result["seconds"]
