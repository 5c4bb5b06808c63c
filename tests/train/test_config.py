import math
from typing import Any

import pytest
from pydantic import ValidationError

from prmkit.train.config import LoraConfig, TrainConfig
from prmkit.yaml_io import dump_yaml, read_yaml


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tensor_parallel": 2}, "tensor_parallel needs strategy: fsdp2"),
        ({"tensor_parallel": 2, "strategy": "ddp"}, "tensor_parallel needs strategy: fsdp2"),
        ({"loss": "pqm", "packing": "none"}, "so it needs packing: tree or weighting: rows"),
        ({"loss": "pqm", "packing": "sequence"}, "so it needs packing: tree or weighting: rows"),
        ({"lora": {"rank": 4}, "strategy": "fsdp2"}, "lora trains with strategy: auto or ddp"),
        ({"lora": {}, "strategy": "deepspeed"}, "lora trains with strategy: auto or ddp"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"tensor_parallel": 2, "strategy": "fsdp2"},
        {"loss": "pqm"},
        {"loss": "pqm", "packing": "none", "weighting": "rows"},
        {"lora": {"quantize": "nf4"}, "strategy": "ddp"},
        {"hard_above": 0.0},
        {"head_warmup": 0.0, "warmup": 1.0},
        {"clip_norm": math.inf},  # no clipping
    ],
)
def test_settings_that_go_together_are_kept(fields: dict[str, Any]) -> None:
    kept = TrainConfig(**fields).model_dump(exclude_unset=True)
    assert kept == fields


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_a_source_weighs_a_finite_number_above_0(weight: float) -> None:
    with pytest.raises(ValidationError, match="source_weights must be finite and above 0; leave a source out"):
        TrainConfig(source_weights={"human": 1.0, "model": weight})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"learning_rate": 1e-5}, r"learning_rate\n  Extra inputs are not permitted"),
        ({"packing": "trees"}, r"packing\n  Input should be 'tree', 'sequence' or 'none'"),
        ({"devices": 0}, r"devices\..*\n  Input should be greater than 0"),
        ({"devices": "all"}, r"Input should be 'auto'"),
        ({"lr": 0.0}, r"lr\n  Input should be greater than 0"),
        ({"lr": math.nan}, r"lr\n  Input should be greater than 0"),
        ({"validation_share": 0.0}, r"validation_share\n  Input should be greater than 0"),
        ({"validation_share": 1.0}, r"validation_share\n  Input should be less than 1"),
        ({"hard_above": 1.0}, r"hard_above\n  Input should be less than 1"),
        ({"lora": {"targets": "q_proj"}}, r"lora\.targets\n  Input should be a valid tuple"),
        ({"lora": {"r": 8}}, r"lora\.r\n  Extra inputs are not permitted"),
        ({"loggers": ["csv", "mlflow"]}, r"loggers\.1\n  Input should be 'csv', 'tensorboard' or 'wandb'"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_key(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TrainConfig(**fields)


def test_a_run_file_replays_the_config(tmp_path: Any) -> None:
    config = TrainConfig(
        lr=3e-5,
        lora=LoraConfig(targets=("q_proj", "v_proj"), quantize="nf4"),
        source_weights={"human": 2.0},
        loggers=("csv", "wandb"),
        devices=8,
    )
    file = tmp_path / "run.yaml"
    file.write_text(dump_yaml(config.model_dump(mode="json")))
    assert TrainConfig(**read_yaml(file).values) == config


def test_what_is_bound_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainConfig().lr = 1.0  # type: ignore[misc]
