import json
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from prmkit.benchmarks.synthetic_world import Slips
from prmkit.models.backbone import load_causal_lm
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.world import COST, WEIGHTS
from prmkit.world.config import PolicyConfig
from prmkit.world.policy import LOSSES, SolutionStream, collate, make_tokenizer, train_policy


def loss_on(model: PreTrainedModel, slips: Slips) -> float:
    """Mean cross-entropy of 256 solutions that no training has seen."""
    rows = iter(SolutionStream(StepEncoder(make_tokenizer(), StepFormat()), slips, seed=12345))
    ids_BT, labels_BT = collate([next(rows) for _ in range(256)])
    with torch.inference_mode():
        logits = model(input_ids=ids_BT).logits[:, :-1].float()
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels_BT[:, 1:].flatten(), ignore_index=-100))


def test_each_shipped_model_knows_the_text_it_was_trained_on_best() -> None:
    config = PolicyConfig()
    policy, backbone = (load_causal_lm(str(WEIGHTS / name), torch.float32)[0] for name in ("policy", "backbone"))
    assert loss_on(policy, config.policy_slips) < loss_on(backbone, config.policy_slips)
    assert loss_on(backbone, config.backbone_slips) < loss_on(policy, config.backbone_slips)


@pytest.mark.slow
def test_the_training_of_the_shipped_models_begins_as_it_was_recorded(tmp_path: Path) -> None:
    """The first 100 steps: the rate stays at its peak for half of any training, so a shorter one begins alike."""
    recorded = json.loads((WEIGHTS / LOSSES).read_text())["policy"]
    train_policy(tmp_path, PolicyConfig(policy_steps=200, backbone_steps=20))
    assert json.loads((tmp_path / LOSSES).read_text())["policy"][: len(recorded)] == pytest.approx(recorded, rel=0.05)
    assert recorded[-1] < 0.2 * recorded[0]


def test_the_cost_of_the_shipped_models_is_that_of_their_text() -> None:
    """6 N D. Short problems are soon used up, so all text is some 7 % longer than the first 500 solutions."""
    config, cost = PolicyConfig(), json.loads((WEIGHTS / COST).read_text())
    rows = iter(SolutionStream(StepEncoder(make_tokenizer(), StepFormat()), config.policy_slips, seed=1))
    mean = sum(len(next(rows)[0]) for _ in range(500)) / 500
    assert cost["policy"]["tokens"] == pytest.approx(mean * config.policy_steps * config.batch_size, rel=0.1)
    for name in ("policy", "backbone"):
        model = load_causal_lm(str(WEIGHTS / name))[0]
        assert cost[name]["parameters"] == model.num_parameters()
        assert cost[name]["flops"] == 6 * cost[name]["parameters"] * cost[name]["tokens"]
    assert cost["backbone"]["tokens"] > 2 * cost["policy"]["tokens"]  # corrections make its text longer
