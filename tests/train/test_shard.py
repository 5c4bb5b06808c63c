"""A model over a mesh of one process, and several processes on a CPU (gloo) that train as one."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.tensor import DTensor
from transformers import AutoConfig, AutoModelForCausalLM

from prmkit.errors import InputError
from prmkit.models.checkpoint import CheckpointMeta, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.train.config import TrainConfig
from prmkit.train.fit import STATE, TrainResult
from prmkit.train.shard import clip_gradients, mesh_of, reload, shard
from tests.tiny import tiny_backbone, tiny_tokenizer
from tests.train.test_fit import told_by_a_token, train
from tests.zoo import tiny_folder

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
        for key in metrics.keys() - {"seconds", "data_seconds"}:
            assert metrics[key] == pytest.approx(alone.metrics[key], abs=1e-4), key
        for record, expected in zip(history, alone.history, strict=True):
            for key in ("train_loss", "loss", "ece", "f1", "tokens", "flops"):
                assert record[key] == pytest.approx(expected[key], abs=1e-5), key
    stored = load_prm(out / "checkpoint").prm.state_dict()  # by one process, whatever wrote it
    for key, one in load_prm(alone.checkpoint).prm.state_dict().items():
        torch.testing.assert_close(one, stored[key], atol=1e-4, rtol=0, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.slow
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


@pytest.mark.slow
def test_norms_of_single_heads_learn_from_all_of_them(tmp_path: Path) -> None:
    """Qwen3 has them: each of two processes that share a matrix knows only the gradient of its own heads."""
    tokenizer = tiny_tokenizer()
    config = AutoConfig.for_model(
        "qwen3", hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2, head_dim=16,
        intermediate_size=64, max_position_embeddings=256, vocab_size=len(tokenizer),
    )  # fmt: skip
    folder = tmp_path / "backbone"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    alone = train(str(folder), tmp_path / "alone", told_by_a_token(41), batch_size=31, **STEP)
    launch(str(folder), tmp_path / "out", 2, strategy="fsdp2", devices=2, tensor_parallel=2, accumulate=3)
    same(alone, tmp_path / "out", 2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gpt_neox", "deepseek_v3"])
def test_ranks_train_other_architectures_as_one(tmp_path: Path, kind: str) -> None:
    """One whose published names begin otherwise, and a mixture with a buffer that is saved."""
    name = tiny_folder(kind, tmp_path / "backbone")
    alone = train(name, tmp_path / "alone", told_by_a_token(41), batch_size=31, **STEP)
    launch(name, tmp_path / "out", 2, strategy="fsdp2", devices=2, accumulate=2)
    same(alone, tmp_path / "out", 2)


@pytest.mark.slow
@pytest.mark.parametrize("shared", [1, 2])
def test_a_sharded_training_goes_on_after_a_kill(name: str, alone: TrainResult, tmp_path: Path, shared: int) -> None:
    out = tmp_path / "out"
    fields = {"strategy": "fsdp2", "devices": 2, "save_every": 1, "tensor_parallel": shared, "accumulate": 1 + shared}
    assert launch(name, out, 2, kill_at=1, **fields) != 0
    assert [entry.name for entry in (out / STATE).iterdir()] == ["step-1"]
    launch(name, out, 2, **fields)
    same(alone, out, 2)


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeviceMesh]:
    """A mesh of this process alone."""
    store = tmp_path_factory.mktemp("store") / "store"
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=0, world_size=1)
    yield init_device_mesh("cpu", (1, 1), mesh_dim_names=("data_parallel", "tensor_parallel"))
    torch.distributed.destroy_process_group()


def seeded(make: Any, name: str, **settings: Any) -> PRM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made: PRM = make(name, ModelConfig(name=name, max_length=64, head_dropout=0.0, **settings))
    return made.eval()


def sharded(name: str, mesh: DeviceMesh, *, dtype: str = "float32", **fields: Any) -> PRM:
    prm = seeded(PRM.skeleton, name, dtype=dtype)
    shard(prm, mesh, TrainConfig(strategy="fsdp2", **fields), device=torch.device("cpu"))
    return prm


def read(prm: PRM) -> Tensor:
    ids_BT = torch.tensor([[4, 5, 6, 7, 8]])
    logits: Tensor = prm(ids_BT, torch.ones_like(ids_BT), torch.tensor([[2, 4]]))
    return logits


def whole_of(value: Tensor) -> Tensor:
    return value.full_tensor() if isinstance(value, DTensor) else value


def test_a_sharded_skeleton_is_the_stored_model_with_the_head_that_was_drawn(name: str, mesh: DeviceMesh) -> None:
    whole, parts = seeded(PRM.from_backbone, name), sharded(name, mesh)
    assert parts.state_dict().keys() == whole.state_dict().keys()
    for key, value in whole.state_dict().items():
        assert torch.equal(whole_of(parts.state_dict()[key]), value), key
    # Also what no file holds, such as the angles of positions.
    torch.testing.assert_close(read(parts), read(whole))


@pytest.mark.parametrize(
    "kind",
    ["llama", "gemma2", "gpt2", "gpt_neox", "gpt_neo", "mixtral", "deepseek_v3", "gpt_oss", "hunyuan_v1_moe"],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_sharded_skeleton_of_any_architecture_is_the_stored_model(
    mesh: DeviceMesh, tmp_path: Path, kind: str, dtype: str
) -> None:
    name = tiny_folder(kind, tmp_path)
    whole, parts = seeded(PRM.from_backbone, name, dtype=dtype), sharded(name, mesh, dtype=dtype)
    assert parts.state_dict().keys() == whole.state_dict().keys()
    for key, value in [*whole.state_dict().items(), *whole.named_buffers()]:
        read_again = whole_of(dict([*parts.state_dict().items(), *parts.named_buffers()])[key])
        assert (read_again.dtype, torch.equal(read_again, value)) == (value.dtype, True), key
    torch.testing.assert_close(read(parts), read(whole))


@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "mixtral"])
def test_torch_files_are_sharded_too(mesh: DeviceMesh, tmp_path: Path, kind: str) -> None:
    name = tiny_folder(kind, tmp_path)
    whole = seeded(PRM.from_backbone, name)
    weights = load_file(tmp_path / "model.safetensors")
    (tmp_path / "model.safetensors").unlink()
    torch.save(weights, tmp_path / "pytorch_model.bin")
    torch.testing.assert_close(read(sharded(name, mesh)), read(whole))


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neox", "mixtral"])
def test_weights_that_are_missing_are_missed(tmp_path: Path, kind: str) -> None:
    name = tiny_folder(kind, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    gone = next(key for key in sorted(weights) if key.endswith(("c_fc.weight", "dense.weight", "o_proj.weight")))
    save_file({key: value for key, value in weights.items() if key != gone}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"weights are missing, got 'no (h|layers)\.0"):
        seeded(PRM.skeleton, name)


@pytest.mark.parametrize("kind", ["gpt_neox", "deepseek_v3"])
def test_a_sharded_model_takes_the_weights_of_its_checkpoint(mesh: DeviceMesh, tmp_path: Path, kind: str) -> None:
    name = tiny_folder(kind, tmp_path / "backbone")
    parts = sharded(name, mesh)
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
    save_prm(parts, tiny_tokenizer(), tmp_path / "prm", meta)
    before = {key: whole_of(value).clone() for key, value in parts.state_dict().items()}
    read(parts)  # which leaves some parts gathered
    with torch.no_grad():
        for value in parts.state_dict().values():
            value.fill_(0.5)
    reload(parts, tmp_path / "prm")
    assert all(torch.equal(whole_of(value), before[key]) for key, value in parts.state_dict().items())


def test_what_fsdp_cannot_do_is_said_before_the_training(mesh: DeviceMesh, tmp_path: Path) -> None:
    """Mamba reads a weight of a part that it does not call, which then is not gathered."""
    name = tiny_folder("mamba", tmp_path)
    with pytest.raises(InputError, match=r"train\.strategy: FSDP2 cannot shard this architecture \(.*\), got 'mamba'"):
        sharded(name, mesh)


def test_the_head_of_a_prm_is_not_discarded(tmp_path: Path) -> None:
    name = tiny_folder("mixtral", tmp_path)
    weights = load_file(tmp_path / "model.safetensors") | {"score.weight": torch.zeros(1, 32)}
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match="the model already has a reward head"):
        seeded(PRM.skeleton, name)


def test_every_weight_of_a_sharded_model_is_spread_over_the_mesh(name: str, mesh: DeviceMesh) -> None:
    assert all(mesh_of(parameter) is not None for parameter in sharded(name, mesh).parameters())
    assert all(mesh_of(parameter) is None for parameter in seeded(PRM.from_backbone, name).parameters())


def test_mixed_precision_keeps_the_weights_as_they_are_stored_and_reads_in_short_numbers(
    name: str, mesh: DeviceMesh
) -> None:
    mixed, plain = sharded(name, mesh, precision="bf16-mixed"), sharded(name, mesh)
    assert {parameter.dtype for parameter in mixed.parameters()} == {torch.float32}
    assert (read(mixed).dtype, read(plain).dtype) == (torch.bfloat16, torch.float32)
    torch.testing.assert_close(read(mixed).float(), read(plain), atol=0.05, rtol=0.05)


@pytest.mark.parametrize("limit", [1e-3, 1e9])
def test_spread_gradients_are_clipped_as_whole_ones_are(name: str, mesh: DeviceMesh, limit: float) -> None:
    whole, parts = seeded(PRM.from_backbone, name), sharded(name, mesh)
    for prm in (whole, parts):
        read(prm).sum().backward()
        clip_gradients(prm.parameters(), limit)
    for (key, one), other in zip(whole.named_parameters(), parts.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(
            whole_of(other.grad), one.grad, rtol=1e-4, atol=limit * 1e-6, msg=lambda text, key=key: f"{key}: {text}"
        )


def gradients(*values: list[float] | None) -> list[nn.Parameter]:
    made = [nn.Parameter(torch.zeros(1 if value is None else len(value))) for value in values]
    for parameter, value in zip(made, values, strict=True):
        parameter.grad = None if value is None else torch.tensor(value)
    return made


def test_the_norm_is_that_of_all_gradients_together() -> None:
    # sqrt(9 + 16 + 144) = 13
    clipped = gradients([3.0, 4.0], None, [12.0])
    clip_gradients(clipped, 6.5)
    assert clipped[0].grad is not None
    assert clipped[2].grad is not None
    torch.testing.assert_close(clipped[0].grad, torch.tensor([1.5, 2.0]))
    torch.testing.assert_close(clipped[2].grad, torch.tensor([6.0]))
    assert clipped[1].grad is None


@pytest.mark.parametrize("limit", [13.5, float("inf")])
def test_gradients_within_the_limit_stay_as_they_are(limit: float) -> None:
    kept = gradients([3.0, 4.0], [12.0])
    clip_gradients(kept, limit)
    assert [parameter.grad.tolist() for parameter in kept if parameter.grad is not None] == [[3.0, 4.0], [12.0]]


def test_without_a_gradient_there_is_nothing_to_clip() -> None:
    (parameter,) = gradients(None)
    clip_gradients([parameter], 1.0)
    assert parameter.grad is None


def in_parts(count: int) -> Any:
    """A mesh that says how many devices share a matrix; what is refused is refused before anything is split."""
    return {"tensor_parallel": SimpleNamespace(size=lambda: count)}


@pytest.mark.parametrize(
    ("parts", "kv_heads", "message"),
    [
        (3, 2, r"the backbone's num_attention_heads do not divide so, got 3; expected a divisor of 2"),
        (2, 1, r"the backbone's num_key_value_heads do not divide so, got 2; expected a divisor of 1"),
    ],
)
def test_heads_that_do_not_divide_are_refused(tmp_path: Path, parts: int, kv_heads: int, message: str) -> None:
    prm = seeded(PRM.skeleton, tiny_backbone(tmp_path, kv_heads=kv_heads))
    config = TrainConfig(strategy="fsdp2", tensor_parallel=parts)
    with pytest.raises(InputError, match=rf"train\.tensor_parallel: {message}"):
        shard(prm, in_parts(parts), config, device=torch.device("cpu"))


def test_an_architecture_without_a_plan_is_refused(name: str) -> None:
    prm = seeded(PRM.skeleton, name)
    prm.model.config.base_model_tp_plan = None
    config = TrainConfig(strategy="fsdp2", tensor_parallel=2)
    with pytest.raises(InputError, match=r"says nothing of how to split its matrices, got 'qwen2'\. Set .* to 1"):
        shard(prm, in_parts(2), config, device=torch.device("cpu"))


def test_each_layer_is_compiled_in_place(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(type(self).__name__))
    result = train(name, tmp_path, told_by_a_token(), compile=True)
    assert compiled == ["Qwen2DecoderLayer"] * 2
    assert load_prm(result.checkpoint).meta.max_length == 64
