from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from prmkit.models.config import ModelConfig
from prmkit.models.flops import ForwardFlops, forward_flops
from prmkit.models.prm import PRM
from tests.tiny import tiny_backbone
from tests.zoo import tiny_layers

# tiny_backbone: 2 layers of q 32x32, k and v 32x16, o 32x32, and an MLP of three 32x64.
LAYER = 32 * 32 * 2 + 32 * 16 * 2 + 3 * 32 * 64
PAIR = 4 * 2 * 2 * 16  # 4 x layers x heads x head size


def test_costs_follow_from_the_shapes_of_the_weights(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_backbone(tmp_path))
    cost = forward_flops(model)
    assert cost.per_token == 2 * 2 * LAYER
    assert cost.per_pair == PAIR
    assert cost.per_read == 2 * 32 * model.config.vocab_size


def test_a_config_costs_what_its_backbone_does(tmp_path: Path) -> None:
    config = AutoConfig.from_pretrained(tiny_backbone(tmp_path))
    assert forward_flops(config) == ForwardFlops(per_token=2 * 2 * LAYER, per_pair=PAIR)


def test_the_head_of_a_prm_is_two_maps(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path)
    prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=64))
    assert forward_flops(prm.model, prm.score).per_read == 2 * (32 * 32 + 32)


def test_cached_tokens_are_attended_to_and_not_computed() -> None:
    cost = ForwardFlops(per_token=10.0, per_pair=1.0, per_read=100.0)
    # Three tokens see 1, 2 and 3; two more after them see 4 and 5.
    assert cost.of(3) == 30 + 6
    assert cost.of(2, before=3, read=1) == 20 + 9 + 100
    assert cost.of(3) + cost.of(2, before=3) == cost.of(5)


def test_the_count_agrees_with_torchs_own(tmp_path: Path) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    model = AutoModelForCausalLM.from_pretrained(tiny_backbone(tmp_path), attn_implementation="eager").eval()
    with FlopCounterMode(display=False) as counted, torch.no_grad():
        model(input_ids=torch.ones(1, 12, dtype=torch.long), use_cache=False)
    cost = forward_flops(model)
    # Eager attention computes the masked half too: 12 x 12 pairs in place of 78.
    assert cost.of(12, read=12) + (144 - 78) * cost.per_pair == counted.get_total_flops()


def test_heads_of_several_sizes_and_none_have_a_cost_too() -> None:
    for name in ("gemma4_text", "mamba"):
        cost = forward_flops(tiny_layers(name).config)
        assert cost.per_token > 0
    assert cost.per_pair == 0
