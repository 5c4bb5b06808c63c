from types import SimpleNamespace

import pytest

from prmkit.errors import InputError
from prmkit.train.config import TrainConfig
from prmkit.train.strategies import data_parallel, strategy_of


def test_devices_must_divide_into_the_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    with pytest.raises(InputError, match=r"train\.tensor_parallel: .*got 4; expected a divisor of 6"):
        strategy_of(TrainConfig(strategy="fsdp2", devices=6, tensor_parallel=4))


def test_the_mesh_covers_all_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    made = strategy_of(TrainConfig(strategy="fsdp2", devices=8, tensor_parallel=2, num_nodes=4))
    assert (made._data_parallel_size, made._tensor_parallel_size) == (16, 2)  # type: ignore[union-attr]


def test_a_missing_deepspeed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.train.strategies.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"DeepSpeed is not installed.*prmkit\[deepspeed\]"):
        strategy_of(TrainConfig(strategy="deepspeed"))


def test_a_head_warm_up_tells_ddp_of_weights_without_gradient() -> None:
    assert strategy_of(TrainConfig(strategy="ddp", head_warmup=0.1)) == "ddp_find_unused_parameters_true"
    assert strategy_of(TrainConfig(strategy="ddp")) == "ddp"


def test_processes_that_share_a_matrix_read_the_same_data() -> None:
    strategy = SimpleNamespace(distributed_sampler_kwargs={"num_replicas": 3, "rank": 1})
    assert data_parallel(SimpleNamespace(strategy=strategy)) == (3, 1)  # type: ignore[arg-type]
    assert data_parallel(None) == (1, 0)
