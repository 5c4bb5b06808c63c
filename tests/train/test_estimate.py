import pytest

from prmkit.errors import InputError
from prmkit.models.config import ModelConfig
from prmkit.train.config import TrainConfig
from prmkit.train.estimate import backbone_config, estimate
from prmkit.train.machines import GIB, machine_of

MODEL = ModelConfig(name="Qwen/Qwen2.5-7B-Instruct", max_length=2048)


def test_sharding_divides_what_lasts() -> None:
    alone = estimate(MODEL, TrainConfig(batch_size=1), machine_of("1xH100"), mfu=0.4, tokens=None)
    eight = estimate(MODEL, TrainConfig(batch_size=1, strategy="fsdp2"), machine_of("8xH100"), mfu=0.4, tokens=None)
    for part in ("weights", "gradients", "optimizer"):
        assert eight["gib"][part] == pytest.approx(alone["gib"][part] / 8)
    # 7.6 billion parameters in fp32: weights and gradients, and twice as much for Adam.
    head = 3584 * 3584 + 3584 + 3584 + 1
    assert alone["gib"]["weights"] == pytest.approx(4 * (alone["parameters"] + head) / GIB)
    assert alone["gib"]["optimizer"] == pytest.approx(2 * alone["gib"]["weights"])
    assert (alone["fits"], eight["fits"]) == (False, True)


def test_time_follows_from_flops_and_peak() -> None:
    found = estimate(MODEL, TrainConfig(batch_size=2), machine_of("2xH100"), mfu=0.5, tokens=81920)
    assert found["step"]["sequences"] == 4
    assert found["step"]["tokens"] == 4 * 2048
    assert found["step"]["seconds"] == pytest.approx(found["step"]["flops"] / (0.5 * 2 * 989e12))
    assert found["hours"] == pytest.approx(10 * found["step"]["seconds"] / 3600)
    # About 6 N for each token, the embeddings' rows left out.
    assert found["step"]["flops"] == pytest.approx(6 * 6.53e9 * 4 * 2048, rel=0.05)


def test_lora_needs_no_optimiser_for_what_is_frozen() -> None:
    config = TrainConfig.model_validate({"batch_size": 1, "lora": {"rank": 8, "quantize": "nf4"}})
    found = estimate(MODEL, config, machine_of("1xRTX4090"), mfu=0.4, tokens=None)
    assert found["gib"]["weights"] < 5
    assert found["gib"]["optimizer"] < 0.5


def test_what_is_no_backbone_is_refused() -> None:
    with pytest.raises(InputError, match="no such folder"):
        backbone_config("./nowhere")
    with pytest.raises(InputError, match="tensor_parallel"):
        estimate(MODEL, TrainConfig(strategy="fsdp2", tensor_parallel=3), machine_of("8xH100"), mfu=0.4, tokens=None)
