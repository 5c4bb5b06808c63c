"""The zoo has every causal architecture of transformers, and in each what makes it differ."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from prmkit.models.twin import CONTEXT, WINDOW
from tests.tiny import tiny_tokenizer
from tests.zoo import ARCHITECTURES, LEFT_OUT, VARIANTS, tiny_config, tiny_folder, tiny_lm


def test_every_name_of_transformers_is_made_or_left_out_for_a_reason() -> None:
    assert set(LEFT_OUT) <= set(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    assert all(LEFT_OUT.values())
    assert len(ARCHITECTURES) + len(LEFT_OUT) == len(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)


@pytest.mark.parametrize("name", [*ARCHITECTURES, *VARIANTS])
def test_a_model_is_tiny_and_causal_and_its_tokens_count(name: str) -> None:
    config, model = tiny_config(name), tiny_lm(name)
    assert sum(parameter.numel() for parameter in model.parameters()) < 400_000
    assert config.vocab_size >= len(tiny_tokenizer())
    assert config.eos_token_id < config.vocab_size
    ids_BT = torch.randint(3, len(tiny_tokenizer()), (1, 3 * WINDOW), generator=torch.Generator().manual_seed(0))
    other_BT = ids_BT.clone()
    other_BT[0, WINDOW] = 3 + (ids_BT[0, WINDOW] - 2) % 20
    with torch.inference_mode():
        difference_T = (
            (model(ids_BT, use_cache=False).logits - model(other_BT, use_cache=False).logits).abs().amax(-1)[0]
        )
    assert difference_T.isfinite().all()
    assert difference_T[:WINDOW].max() < 1e-5
    assert difference_T[WINDOW + 1 :].max() > 1e-3


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("gemma2", {"sliding_attention", "full_attention"}),
        ("qwen2, window", {"sliding_attention", "full_attention"}),
        ("qwen3_next", {"linear_attention", "full_attention"}),
        ("lfm2", {"conv", "full_attention"}),
        ("deepseek_v4", {"sliding_attention", "heavily_compressed_attention", "compressed_sparse_attention"}),
    ],
)
def test_each_kind_of_layer_occurs(name: str, kinds: set[str]) -> None:
    config = tiny_config(name)
    assert set(config.layer_types) == kinds
    assert "sliding_attention" not in kinds or config.sliding_window == WINDOW


def test_a_window_hides_what_lies_before_it() -> None:
    ids_BT = torch.randint(3, 40, (1, CONTEXT), generator=torch.Generator().manual_seed(0))
    other_BT = ids_BT.clone()
    other_BT[0, 0] = 41
    for name, seen in (("mistral", 2 * (WINDOW - 1)), ("mistral, no window", CONTEXT - 1)):
        model = tiny_lm(name)
        with torch.inference_mode():
            difference_T = (
                (model(ids_BT, use_cache=False).logits - model(other_BT, use_cache=False).logits).abs().amax(-1)[0]
            )
        assert int((difference_T > 1e-4).nonzero().max()) == seen


def test_a_folder_holds_what_was_made(tmp_path: Path) -> None:
    folder = tiny_folder("gemma2", tmp_path / "model", seed=3)
    read, made = AutoModelForCausalLM.from_pretrained(folder).state_dict(), tiny_lm("gemma2", 3).state_dict()
    assert all(torch.equal(read[key], value) for key, value in made.items())
    assert not all(torch.equal(tiny_lm("gemma2", 4).state_dict()[key], value) for key, value in made.items())
