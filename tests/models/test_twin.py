import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from prmkit.models.twin import CONTEXT, WINDOW, likeness, twin

LARGE = {
    "mistral": {"hidden_size": 4096, "sliding_window": 4096},
    "gemma2": {"hidden_size": 3584, "num_hidden_layers": 42},
    "qwen3_next": {"num_hidden_layers": 48, "num_experts": 512},
    "gpt_oss": {"num_hidden_layers": 36, "num_local_experts": 128},
    "deepseek_v3": {},
    "bloom": {"hidden_size": 14336},
}


@pytest.mark.parametrize("model_type", LARGE)
def test_every_kind_of_layer_occurs_and_all_is_small(model_type: str) -> None:
    large = AutoConfig.for_model(model_type, **LARGE[model_type])
    small = likeness(large)
    assert type(small) is type(large)
    assert set(getattr(small, "layer_types", None) or ()) == set(getattr(large, "layer_types", None) or ())
    assert twin(small).num_parameters() < 500_000


def test_windows_and_original_contexts_are_shorter_than_the_texts_that_are_tried() -> None:
    assert likeness(AutoConfig.for_model("mistral", sliding_window=4096)).sliding_window == WINDOW
    rope = {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1e6, "original_max_position_embeddings": 32768}
    small = likeness(AutoConfig.for_model("qwen2", rope_parameters=rope))
    assert small.rope_parameters["original_max_position_embeddings"] == CONTEXT // 16
    assert small.max_position_embeddings == CONTEXT


def test_what_a_model_does_is_kept() -> None:
    for settings in ({"tie_word_embeddings": True}, {"attention_bias": True}, {"hidden_act": "gelu"}):
        small = likeness(AutoConfig.for_model("llama", **settings))
        assert settings.items() <= small.to_dict().items()
    assert likeness(AutoConfig.for_model("mistral", sliding_window=None)).sliding_window is None
    assert likeness(AutoConfig.for_model("gemma2", attn_logit_softcapping=7.0)).attn_logit_softcapping == 7.0
    assert likeness(AutoConfig.for_model("gemma2")).final_logit_softcapping == 30.0


def test_angles_of_long_rope_are_some_of_the_many() -> None:
    factors = [1.0 + index for index in range(48)]
    rope = {
        "rope_type": "longrope",
        "rope_theta": 10000.0,
        "short_factor": [1.0] * 48,
        "long_factor": factors,
        "original_max_position_embeddings": 4096,
    }
    small = likeness(AutoConfig.for_model("phi3", rope_parameters=rope))
    assert small.rope_parameters["long_factor"] == [1.0, 7.0, 14.0, 21.0, 27.0, 34.0, 41.0, 48.0]


def test_weights_are_drawn_from_the_seed_and_large_enough_to_show() -> None:
    small = likeness(AutoConfig.for_model("llama"))
    one, same, other = (twin(small, seed=seed, kind=AutoModelForCausalLM) for seed in (0, 0, 1))
    assert torch.equal(one.lm_head.weight, same.lm_head.weight)
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)
    assert float(one.model.layers[0].self_attn.q_proj.weight.std()) == pytest.approx(0.2, abs=0.02)
