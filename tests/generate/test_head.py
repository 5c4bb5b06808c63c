from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from prmkit.errors import InputError
from prmkit.generate.head import parts_of
from prmkit.models.twin import likeness, twin
from tests.tiny import tiny_backbone


def lm(model_type: str, **settings: object) -> PreTrainedModel:
    return twin(likeness(AutoConfig.for_model(model_type), **settings), kind=AutoModelForCausalLM)


IDS = torch.tensor([[5, 9, 17, 3, 40, 8]])


@pytest.mark.parametrize(
    "model_type",
    ["gemma2", "cohere", "minicpm3", "nanochat", "opt", "qwen3_moe", "gpt2"],
)
@torch.inference_mode()
def test_logits_are_those_of_the_model(model_type: str) -> None:
    model = lm(model_type)
    backbone, head = parts_of(model)
    expected = model(input_ids=IDS).logits[0]
    torch.testing.assert_close(head(backbone(input_ids=IDS).last_hidden_state[0]), expected, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_a_cap_that_does_not_show_in_small_logits_is_kept() -> None:
    model = lm("gemma2")
    model.get_output_embeddings().weight.data.mul_(1e-4)  # tied: the hidden states are small, too
    _, head = parts_of(model)
    hidden = 1e7 * torch.randn(3, 64)
    assert float(head(hidden).abs().max()) <= model.config.final_logit_softcapping


@torch.inference_mode()
def test_where_the_lm_head_is_all_nothing_stands_before_it(tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_backbone(tmp_path))
    assert parts_of(model)[1] is model.get_output_embeddings()


@torch.inference_mode()
def test_logits_of_more_than_the_last_hidden_state_are_refused() -> None:
    model = lm("llama")

    class Remembering(type(model)):  # type: ignore[misc]
        def forward(self, *args: object, **kwargs: object) -> object:
            output = super().forward(*args, **kwargs)
            output.logits = output.logits + self.get_input_embeddings()(kwargs["input_ids"]).sum()
            return output

    model.__class__ = Remembering
    with pytest.raises(InputError, match=r"got 'logits that are not made of the last hidden states'\. Use the vllm"):
        parts_of(model)
