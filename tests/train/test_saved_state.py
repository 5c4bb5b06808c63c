"""The best weights are kept, and a training that was killed goes on as if it had not been."""

import csv
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from prmkit.models.checkpoint import load_prm
from prmkit.train.config import LoraConfig, TrainConfig
from prmkit.train.fit import STATE, TrainResult
from prmkit.train.saved_state import KeepAll, KeepBest, KeepState, last_state
from tests.tiny import path_tree, tiny_backbone
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
    untimed = {"seconds": 0, "data_seconds": 0}
    assert {**one.metrics, **untimed} == {**other.metrics, **untimed}
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


def test_the_weights_of_every_validation_are_kept_if_wanted(name: str, tmp_path: Path) -> None:
    result = train(name, tmp_path, told_by_a_token(), epochs=3, snapshots=True)
    snapshots = [load_prm(tmp_path / "snapshots" / str(number)).prm.state_dict() for number in range(6)]
    assert len(list((tmp_path / "snapshots").iterdir())) == len(result.history) == 6
    losses = [record["loss"] for record in result.history]
    best = load_prm(result.checkpoint).prm.state_dict()
    same = [all(torch.equal(best[key], one[key]) for key in best) for one in snapshots]
    assert same == [loss == min(losses) for loss in losses]


def test_training_stops_when_the_held_out_loss_no_longer_falls(name: str, tmp_path: Path) -> None:
    draw = random.Random(0)  # labels that nothing explains
    noise = [path_tree(f"{n % 20} + {n // 20} ?", [("1", float(draw.random() < 0.5))] * 3) for n in range(40)]
    result = train(name, tmp_path, noise, epochs=50, patience=2, validations_per_epoch=1)
    losses = [record["loss"] for record in result.history]
    assert len(losses) < 50
    assert losses.index(min(losses)) == len(losses) - 3  # two more validations than the best
    assert result.metrics["loss"] == min(losses)


class Validations:
    """A training as the callbacks see it: what each of its validations finds, and the weights, a file with its number.

    ``barriers`` counts how often the processes waited for each other.
    """

    def __init__(self, *, first: bool = True, monitor: str = "loss") -> None:
        self.monitor, self.number, self.barriers = monitor, -1, 0
        self.trainer: Any = SimpleNamespace(
            is_global_zero=first,
            should_stop=False,
            callback_metrics={},
            strategy=SimpleNamespace(barrier=self.wait),
        )
        self.written: list[str] = []

    def wait(self) -> None:
        self.barriers += 1

    def write(self, folder: Path) -> list[float]:
        """As a training writes: into a folder that is not there, by the first process."""
        assert not folder.exists()
        self.written.append(folder.name)
        if self.trainer.is_global_zero:
            folder.mkdir(parents=True)
            (folder / "weights").write_text(str(self.number))
        return [float(self.number)]

    def best(self, folder: Path, patience: int = 99) -> KeepBest:
        return KeepBest(folder, monitor=self.monitor, patience=patience, write=self.write)

    def find(self, callback: Any, *values: float) -> None:
        for value in values:
            self.number += 1
            self.trainer.callback_metrics = {
                self.monitor: torch.tensor(value),
                "other": torch.tensor(float(self.number)),
            }
            callback.on_validation_end(self.trainer, None)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def weights(folder: Path) -> str:
    return (folder / "weights").read_text()


@pytest.mark.parametrize(
    ("monitor", "values", "best"),
    [
        ("loss", [0.5, 0.25, 0.75], 1),
        ("brier", [0.5, 0.25, 0.75], 1),
        ("ece", [0.5, 0.25, 0.75], 1),
        ("auroc", [0.5, 0.25, 0.75], 2),
        ("f1", [0.5, 0.25, 0.75], 2),
        ("loss", [0.5, 0.5, 0.5], 0),  # as good is not better
        ("auroc", [0.5, 0.5], 0),
        ("auroc", [math.nan, 0.25, 0.5, math.nan], 2),  # where labels were of one kind nothing was measured
        ("loss", [math.nan, math.nan], 0),
        ("loss", [0.5, math.nan], 0),
    ],
)
def test_the_weights_of_the_best_validation_are_kept(
    tmp_path: Path, monitor: str, values: Sequence[float], best: int
) -> None:
    training = Validations(monitor=monitor)
    keep = training.best(tmp_path / "best")
    training.find(keep, *values)
    assert weights(tmp_path / "best") == str(best)
    assert keep.best["other"] == best  # the other metrics of the same validation
    assert names(tmp_path) == ["best"]


def test_so_many_validations_without_a_better_one_stop_the_training() -> None:
    training = Validations()
    keep = training.best(Path("nowhere"), patience=2)
    keep._write = lambda folder: []  # type: ignore[method-assign]
    training.trainer.is_global_zero = False
    stopped = []
    for value in (0.5, 0.6, 0.4, 0.45, 0.4):
        training.find(keep, value)
        stopped.append(training.trainer.should_stop)
    assert stopped == [False, False, False, False, True]  # the better one began the count anew


def test_what_stops_a_training_for_another_reason_stays_said(tmp_path: Path) -> None:
    training = Validations()
    keep = training.best(tmp_path / "best")
    training.find(keep, 0.5)
    training.trainer.should_stop = True
    training.find(keep, 0.6)
    assert training.trainer.should_stop


def test_the_count_goes_on_after_a_stop(tmp_path: Path) -> None:
    training = Validations()
    first, again = training.best(tmp_path / "best", patience=2), training.best(tmp_path / "best", patience=2)
    training.find(first, 0.5, 0.6)
    again.load_state_dict(first.state_dict())
    training.find(again, 0.55)
    assert training.trainer.should_stop
    assert again.best["loss"] == 0.5
    assert again.scores == first.scores == [0.0]  # of the weights that are there
    assert training.written == ["best.new"]


def test_weights_that_a_kill_left_half_written_never_count(tmp_path: Path) -> None:
    training = Validations()
    keep = training.best(tmp_path / "best")
    training.find(keep, 0.5)

    def die(folder: Path) -> list[float]:
        folder.mkdir()
        (folder / "half").touch()
        raise Killed

    state, keep._write = keep.state_dict(), die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        training.find(keep, 0.4)
    assert weights(tmp_path / "best") == "0"
    again = training.best(tmp_path / "best")
    again.load_state_dict(state)
    training.find(again, 0.4)
    assert weights(tmp_path / "best") == "2"
    assert names(tmp_path / "best") == ["weights"]
    assert names(tmp_path) == ["best"]


def test_every_process_takes_part_and_the_first_moves_the_folders(tmp_path: Path) -> None:
    first, other = Validations(), Validations(first=False)
    for training, place in ((first, tmp_path / "first"), (other, tmp_path / "other")):
        training.find(training.best(place / "best"), 0.5, 0.6, 0.4)
        training.find(KeepAll(place / "all", training.write), 0.5, 0.6)
    assert first.written == other.written == ["best.new", "best.new", "0", "1"]
    assert first.barriers == other.barriers == 2 * 2 + 2
    assert names(tmp_path / "first") == ["all", "best"]
    assert not (tmp_path / "other").exists()


def test_a_snapshot_that_a_kill_left_half_written_is_replaced(tmp_path: Path) -> None:
    folder, training = tmp_path / "snapshots", Validations()
    first = KeepAll(folder, training.write)
    training.find(first, 0.5)
    state = first.state_dict()
    training.find(first, 0.5)
    (folder / "1" / "half").touch()
    (folder / "1" / "weights").unlink()
    again = KeepAll(folder, training.write)
    again.load_state_dict(state)
    training.find(again, 0.5, 0.5)
    assert [weights(folder / number) for number in "012"] == ["0", "2", "3"]
    assert not (folder / "1" / "half").exists()


class Steps:
    """A training as KeepState sees it, with two batches an optimiser step; its state is a file, or a folder."""

    def __init__(self, *, folders: bool = False, dies_at: int = -1) -> None:
        self.folders, self.dies_at = folders, dies_at
        self.trainer: Any = SimpleNamespace(
            global_step=0,
            accumulate_grad_batches=2,
            is_global_zero=True,
            save_checkpoint=self.save,
            strategy=SimpleNamespace(barrier=lambda: None),
        )
        self.saved: list[tuple[int, int]] = []
        self.batch = 0

    def save(self, path: Path) -> None:
        self.saved.append((self.trainer.global_step, self.batch))
        path.parent.mkdir(exist_ok=True)
        if self.folders:
            path.mkdir(exist_ok=True)
            (path / "shard").touch()
        else:
            path.touch()
        if self.trainer.global_step == self.dies_at:
            raise Killed

    def run(self, keep: KeepState, start: int, stop: int) -> None:
        self.trainer.global_step = start
        keep.on_train_start(self.trainer, None)  # type: ignore[arg-type]
        for step in range(start, stop):
            self.trainer.global_step = step
            for self.batch in (2 * step, 2 * step + 1):
                keep.on_train_batch_start(self.trainer, None, None, self.batch)  # type: ignore[arg-type]


@pytest.mark.parametrize("folders", [False, True])
def test_every_so_many_steps_the_state_replaces_the_one_before(tmp_path: Path, folders: bool) -> None:
    training, folder = Steps(folders=folders), tmp_path / "state"
    training.run(KeepState(folder, every=3), 0, 8)
    # Before the first batch of a step, and not where the training began.
    assert training.saved == [(3, 6), (6, 12)]
    assert names(folder) == ["step-6"]
    training.run(KeepState(folder, every=3), 6, 10)
    assert training.saved[2:] == [(9, 18)]
    assert names(folder) == ["step-9"]


@pytest.mark.parametrize("folders", [False, True])
def test_a_kill_while_a_state_is_saved_leaves_the_one_before(tmp_path: Path, folders: bool) -> None:
    folder = tmp_path / "state"
    with pytest.raises(Killed):
        Steps(folders=folders, dies_at=6).run(KeepState(folder, every=3), 0, 9)
    assert names(folder) == ["step-3", "step-6.partial"]
    assert last_state(folder) == folder / "step-3"
    Steps(folders=folders).run(KeepState(folder, every=3), 3, 8)
    assert names(folder) == ["step-6"]


def test_a_kill_before_old_states_are_removed_leaves_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(path: Path) -> None:
        raise Killed

    folder = tmp_path / "state"
    with monkeypatch.context() as patched:
        patched.setattr("prmkit.train.saved_state._remove", die)
        with pytest.raises(Killed):
            Steps().run(KeepState(folder, every=3), 0, 9)
    assert names(folder) == ["step-3", "step-6"]
    assert last_state(folder) == folder / "step-6"
    Steps().run(KeepState(folder, every=3), 6, 10)
    assert names(folder) == ["step-9"]


def test_the_last_whole_state_counts(tmp_path: Path) -> None:
    assert last_state(tmp_path / "nowhere") is None
    assert last_state(tmp_path) is None
    for entry in (".DS_Store", "step-", "step-12x", "step-11.partial"):
        (tmp_path / entry).touch()
    assert last_state(tmp_path) is None
    for entry in ("step-9", "step-10"):
        (tmp_path / entry).touch()
    assert last_state(tmp_path) == tmp_path / "step-10"  # not the last by name
