"""A training that was killed goes on as if it had not been."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from prmkit.models.checkpoint import load_prm
from prmkit.train.config import LoraConfig, TrainConfig
from prmkit.train.fit import STATE, TrainResult
from prmkit.train.saved_state import KeepState, last_state
from tests.tiny import tiny_backbone
from tests.train.test_fit import told_by_a_token, train

FIELDS: dict[str, object] = {
    "epochs": 3,
    "batch_size": 4,
    "accumulate": 2,
    "validations_per_epoch": 2,
    "save_every": 1,
    "loggers": ("csv",),
    "log_every": 1,
    "patience": 99,
}
"""30 trained rows: 8 batches, so 4 optimiser steps an epoch, 12 in all."""


class Killed(Exception):
    pass


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture(scope="module")
def whole(name: str, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(name, tmp_path_factory.mktemp("whole"), told_by_a_token(), dropout=0.2, **FIELDS)


def curve(out: Path) -> dict[int, str]:
    """The training loss of each optimiser step, as text: to the last bit."""
    found = {}
    for file in sorted(out.glob("logs/csv/*/metrics.csv"), key=lambda path: int(path.parent.name.split("-")[1])):
        with file.open() as stream:
            trained = [row for row in csv.DictReader(stream) if row["train/train_loss"]]
            found |= {int(row["step"]): row["train/train_loss"] for row in trained}
    return found


def stopped_before(step: int, patched: pytest.MonkeyPatch) -> None:
    """Have trainings die as this optimiser step begins, once their state is saved."""
    save = KeepState.on_train_batch_start

    def stop(self: KeepState, trainer: object, *args: object) -> None:
        save(self, trainer, *args)  # type: ignore[arg-type]
        if trainer.global_step == step:  # type: ignore[attr-defined]
            raise Killed

    patched.setattr(KeepState, "on_train_batch_start", stop)


def same(one: TrainResult, other: TrainResult) -> None:
    assert [{**record, "seconds": 0} for record in one.history] == [{**r, "seconds": 0} for r in other.history]
    assert {**one.metrics, "seconds": 0} == {**other.metrics, "seconds": 0}
    first, second = (load_prm(result.checkpoint).prm.state_dict() for result in (one, other))
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert curve(one.checkpoint.parent) == curve(other.checkpoint.parent)


@pytest.mark.parametrize("step", [1, 2, 4, 11])  # before, at and after a validation; as an epoch begins
def test_a_training_goes_on_from_any_step(
    name: str, whole: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    with monkeypatch.context() as patched:
        stopped_before(step, patched)
        with pytest.raises(Killed):
            train(name, tmp_path, told_by_a_token(), dropout=0.2, **FIELDS)
    again = train(name, tmp_path, told_by_a_token(), dropout=0.2, **FIELDS)
    same(whole, again)
    assert sorted(curve(tmp_path)) == list(range(1, 13))


def test_snapshots_go_on_with_their_numbers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = {**FIELDS, "snapshots": True}
    whole = train(name, tmp_path / "whole", told_by_a_token(), **fields)
    with monkeypatch.context() as patched:
        stopped_before(7, patched)
        with pytest.raises(Killed):
            train(name, tmp_path / "killed", told_by_a_token(), **fields)
    train(name, tmp_path / "killed", told_by_a_token(), **fields)
    numbers = sorted(int(one.name) for one in (tmp_path / "killed" / "snapshots").iterdir())
    assert numbers == list(range(len(whole.history)))
    for number in numbers:
        one, other = (
            load_prm(tmp_path / run / "snapshots" / str(number)).prm.state_dict() for run in ("whole", "killed")
        )
        assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.slow
def test_a_training_in_four_bits_goes_on(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("bitsandbytes", reason="needs prmkit[qlora]")
    fields = {**FIELDS, "lora": LoraConfig(rank=4, quantize="nf4")}
    whole = train(name, tmp_path / "whole", told_by_a_token(), **fields)
    with monkeypatch.context() as patched:
        stopped_before(4, patched)
        with pytest.raises(Killed):
            train(name, tmp_path / "killed", told_by_a_token(), **fields)
    same(whole, train(name, tmp_path / "killed", told_by_a_token(), **fields))


def test_the_last_whole_state_counts(tmp_path: Path) -> None:
    assert last_state(tmp_path / "nowhere") is None
    for entry in ("step-9", "step-10", "step-11.partial"):
        (tmp_path / entry).touch()
    assert last_state(tmp_path) == tmp_path / "step-10"


_KILLED = """
import os, signal, sys
from pathlib import Path
from prmkit.train.module import PRMModule
from tests.train.test_fit import told_by_a_token, train
from tests.train.test_saved_state import FIELDS

step = PRMModule.training_step
def deadly(self, batch, batch_idx):
    if self.trainer.global_step == 6 and batch_idx % 2 == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, batch_idx)
if sys.argv[3] == "kill":
    PRMModule.training_step = deadly
train(sys.argv[1], Path(sys.argv[2]), told_by_a_token(), dropout=0.2, **{**FIELDS, "save_every": 5})
"""


@pytest.mark.slow
def test_kill_9_in_mid_epoch(name: str, whole: TrainResult, tmp_path: Path) -> None:
    (tmp_path / "killed.py").write_text(_KILLED)
    out = tmp_path / "run"

    def run(how: str) -> int:
        return subprocess.run(
            [sys.executable, str(tmp_path / "killed.py"), name, str(out), how],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": ".", "OMP_NUM_THREADS": str(torch.get_num_threads())},
        ).returncode

    assert run("kill") == -signal.SIGKILL
    assert [path.name for path in (out / STATE).iterdir()] == ["step-5"]
    assert not (out / "checkpoint").exists()
    assert run("resume") == 0
    assert curve(out) == curve(whole.checkpoint.parent)
    first, second = (load_prm(folder).prm.state_dict() for folder in (whole.checkpoint, out / "checkpoint"))
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_every_step_of_the_curve_is_kept(whole: TrainResult) -> None:
    assert sorted(curve(whole.checkpoint.parent)) == list(range(1, 13))
    assert TrainConfig().save_every == 500
