from pathlib import Path

import pytest
from torch._C._profiler import _EventType
from torch.profiler import ProfilerActivity, profile
from transformers import AutoConfig, AutoModelForCausalLM, Qwen2Config

from prmkit.models.config import ModelConfig
from prmkit.train.config import TrainConfig
from prmkit.train.fit import train_prm, training_rows
from prmkit.train.footprint import Footprint, footprint
from tests.tiny import path_tree, tiny_tokenizer

TOKENS = 256
SHAPE = {
    "hidden_size": 192,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 512,
    "vocab_size": 2000,
}


def plan(devices: int = 1, **fields: object) -> Footprint:
    return footprint(Qwen2Config(**SHAPE), TrainConfig(**fields), TOKENS, devices)  # type: ignore[arg-type]


def measured(folder: Path, **fields: object) -> float:
    """The most bytes that torch's allocator had given out during a training, the model's own included."""
    tokenizer = tiny_tokenizer()
    config = AutoConfig.for_model("qwen2", **SHAPE, max_position_embeddings=TOKENS)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / "backbone")
    tokenizer.save_pretrained(folder / "backbone")
    # A row is the problem's 2 + 1 tokens and steps of 10 + 1: 23 of them fill 256 tokens.
    trees = [path_tree(f"{n % 20} ?", [("1 2 3 4 5 6 7 8 9 a", float(s % 2)) for s in range(23)]) for n in range(20)]
    model = ModelConfig(name=str(folder / "backbone"), max_length=TOKENS)
    train = TrainConfig(packing="none", devices=1, validations_per_epoch=1, **fields)  # type: ignore[arg-type]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        rows = training_rows(trees, model, train, seed=0)
        train_prm(rows, model, folder / "run", progress=False)
    # What an earlier training left behind may be freed at any moment of this one, and is none of its memory.
    own: set[int] = set()
    now = peak = 0
    for address, change in _allocations(profiler):
        if change > 0:
            own.add(address)
        elif address not in own:
            continue
        now += change
        peak = max(peak, now)
    return float(peak)


def _allocations(profiler: profile) -> list[tuple[int, int]]:
    """Address and bytes of all that was given out (positive) and freed (negative), in order."""
    events = profiler.profiler.kineto_results.experimental_event_tree()  # type: ignore[union-attr]
    found = []
    while events:
        event = events.pop()
        events.extend(event.children)
        kind, fields = event.typed
        if kind == _EventType.Allocation:
            found.append((event.start_time_ns, fields.ptr, fields.alloc_size))
    return [(address, change) for _, address, change in sorted(found, key=lambda item: item[0])]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"batch_size": 4}, id="plain"),
        pytest.param({"batch_size": 8, "gradient_checkpointing": True}, id="recomputed", marks=pytest.mark.slow),
        pytest.param({"batch_size": 4, "accumulate": 2}, id="accumulated", marks=pytest.mark.slow),
    ],
)
def test_the_plan_is_near_the_memory_of_a_real_training(tmp_path: Path, fields: dict[str, object]) -> None:
    assert plan(**fields).total == pytest.approx(measured(tmp_path, **fields), rel=0.1)
