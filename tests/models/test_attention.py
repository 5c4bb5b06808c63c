import pytest
from transformers import AutoConfig

from prmkit.errors import InputError
from prmkit.models.attention import faithful_attention, packed_attention
from tests.zoo import BY_PLACE, RECURRENT, WINDOWED, tiny_config


@pytest.mark.parametrize(
    ("model_type", "expected"),
    [("llama", "sdpa"), ("qwen2", "sdpa"), ("gemma3_text", "sdpa"), ("gemma2", "eager"), ("gpt_oss", "eager")],
)
def test_the_attention_is_one_that_leaves_nothing_out(model_type: str, expected: str) -> None:
    assert faithful_attention(AutoConfig.for_model(model_type)) == expected
    assert packed_attention(AutoConfig.for_model(model_type), "tree") == expected


@pytest.mark.parametrize("kind", WINDOWED)
def test_windows_are_packed(kind: str) -> None:
    for by in ("tree", "sequence"):
        assert packed_attention(tiny_config(kind), by) in ("sdpa", "eager")  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", RECURRENT)
def test_layers_that_carry_a_state_are_not_packed(kind: str) -> None:
    assert faithful_attention(tiny_config(kind)) is not None
    for by in ("tree", "sequence"):
        with pytest.raises(InputError, match=r"train\.packing: this architecture .*Set train\.packing: none"):
            packed_attention(tiny_config(kind), by)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", BY_PLACE)
def test_where_whole_texts_can_share_a_row_it_is_said(kind: str) -> None:
    others = "none" if kind == "llama4_text" else "sequence"
    with pytest.raises(InputError, match=rf"relative difference of .*Set train\.packing: {others}"):
        packed_attention(tiny_config(kind), "tree")
    if others == "sequence":
        assert packed_attention(tiny_config(kind), "sequence") == "eager"


def test_a_dropout_that_an_attention_does_not_know_is_no_hindrance() -> None:
    assert packed_attention(AutoConfig.for_model("gpt2", attn_pdrop=0.5), "tree") == "sdpa"
