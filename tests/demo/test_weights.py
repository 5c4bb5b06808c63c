from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from prmkit.benchmarks.synthetic_world import Slips
from prmkit.demo.loop import WEIGHTS
from prmkit.demo.policy import PolicyConfig, Solutions, collate, make_tokenizer, train_policy
from prmkit.models.backbone import load_causal_lm
from prmkit.models.config import StepFormat
from prmkit.models.encode import StepEncoder


def loss_on(model: PreTrainedModel, slips: Slips) -> float:
    """Mean cross-entropy of 256 solutions that no training has seen."""
    rows = iter(Solutions(StepEncoder(make_tokenizer(), StepFormat()), slips, seed=12345))
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
@pytest.mark.timeout(2400)
def test_the_shipped_models_can_be_remade(tmp_path: Path) -> None:
    config = PolicyConfig()
    train_policy(tmp_path, config)
    for name, slips in (("policy", config.policy_slips), ("backbone", config.backbone_slips)):
        remade, shipped = (
            loss_on(load_causal_lm(str(folder / name), torch.float32)[0], slips) for folder in (tmp_path, WEIGHTS)
        )
        assert remade == pytest.approx(shipped, abs=0.02)
