from pathlib import Path

import torch

from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.train.made_up import row_scores
from tests.tiny import tiny_backbone


def test_a_row_is_scored_alike_by_the_same_weights_and_leaves_the_model_as_it_was(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path)
    prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=64, head_dropout=0.5)).train()
    prm.model.eval()
    first, state = row_scores(prm), torch.get_rng_state()
    assert row_scores(prm) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert (prm.training, prm.model.training) == (True, False)
    assert len(first) == 2
    with torch.no_grad():
        prm.model.layers[0].mlp.up_proj.weight.mul_(1.5)  # type: ignore[union-attr, operator]
    assert row_scores(prm) != first


def test_a_short_context_is_enough(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path, context=8)
    assert len(row_scores(PRM.from_backbone(name, ModelConfig(name=name, max_length=8)))) == 2
