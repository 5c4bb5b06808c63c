"""Several processes on a CPU (gloo) train as one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from prmkit.models.checkpoint import load_prm
from prmkit.train.fit import STATE, TrainResult
from tests.tiny import tiny_backbone
from tests.train.test_fit import told_by_a_token, train

pytestmark = pytest.mark.slow

_RANK = """
import json, os, signal, sys
from pathlib import Path
from prmkit.train.module import PRMModule
from tests.train.test_fit import told_by_a_token, train

name, out, fields, kill_at = sys.argv[1:]
step = PRMModule.training_step
def deadly(self, batch, batch_idx):
    if self.trainer.global_step == int(kill_at):
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batch, batch_idx)
PRMModule.training_step = deadly
os.cpu_count = lambda: 4  # more processes than cores
result = train(name, Path(out), told_by_a_token(41), **json.loads(fields))
Path(out, f"rank-{os.environ['RANK']}.json").write_text(json.dumps([result.metrics, result.history]))
"""

# 31 rows in batches of 11 are 3 batches, all of one optimiser step: with two parts, one gets a filler for its second.
STEP = {"epochs": 2, "validations_per_epoch": 1, "lr": 1e-3, "clip_norm": 0.05}


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("backbone"), kv_heads=2)


@pytest.fixture(scope="module")
def alone(name: str, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(name, tmp_path_factory.mktemp("alone"), told_by_a_token(41), batch_size=31, **STEP)


def launch(name: str, out: Path, ranks: int, *, kill_at: int = -1, **fields: object) -> int:
    program = out.parent / "rank.py"
    program.write_text(_RANK)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    arguments = [name, str(out), json.dumps({**STEP, "batch_size": 11, **fields}), str(kill_at)]
    return subprocess.run(
        [*torchrun, str(program), *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": ".", "OMP_NUM_THREADS": "1"},
        timeout=240,
        check=kill_at < 0,
    ).returncode


def same(alone: TrainResult, out: Path, ranks: int) -> None:
    for rank in range(ranks):
        metrics, history = json.loads((out / f"rank-{rank}.json").read_text())
        for key in set(metrics) - {"seconds"}:
            assert metrics[key] == pytest.approx(alone.metrics[key], abs=1e-4), key
        for record, expected in zip(history, alone.history, strict=True):
            for key in ("train_loss", "loss", "ece", "f1", "tokens", "flops"):
                assert record[key] == pytest.approx(expected[key], abs=1e-5), key
    stored = load_prm(out / "checkpoint").prm.state_dict()  # by one process, whatever wrote it
    for key, one in load_prm(alone.checkpoint).prm.state_dict().items():
        torch.testing.assert_close(one, stored[key], atol=1e-4, rtol=0, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize(
    ("ranks", "fields"),
    [
        (2, {"strategy": "ddp", "accumulate": 2}),
        (2, {"strategy": "fsdp2", "accumulate": 2}),
        (2, {"strategy": "fsdp2", "tensor_parallel": 2, "accumulate": 3}),
        (4, {"strategy": "fsdp2", "tensor_parallel": 2, "accumulate": 2}),
    ],
    ids=["ddp", "fsdp2", "tp", "fsdp2-tp"],
)
def test_ranks_train_as_one(
    name: str, alone: TrainResult, tmp_path: Path, ranks: int, fields: dict[str, object]
) -> None:
    launch(name, tmp_path / "out", ranks, devices=ranks, **fields)
    same(alone, tmp_path / "out", ranks)


@pytest.mark.parametrize("shared", [1, 2])
def test_a_sharded_training_goes_on_after_a_kill(name: str, alone: TrainResult, tmp_path: Path, shared: int) -> None:
    out = tmp_path / "out"
    fields = {"strategy": "fsdp2", "devices": 2, "save_every": 1, "tensor_parallel": shared, "accumulate": 1 + shared}
    assert launch(name, out, 2, kill_at=1, **fields) != 0
    assert [entry.name for entry in (out / STATE).iterdir()] == ["step-1"]
    launch(name, out, 2, **fields)
    same(alone, out, 2)
