import sys

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.context import context_of, engine_context, original_context, readable, settle_rope
from prmkit.models.prm import PRM
from prmkit.models.twin import likeness, stir
from tests.zoo import tiny_config

SHORT, LONG = 16, 256
"""The contexts of the small model: the original one, and the whole."""


def phi3() -> PretrainedConfig:
    return tiny_config("phi3, long rope")


def made(config: PretrainedConfig) -> PreTrainedModel:
    """As transformers makes it."""
    torch.manual_seed(0)
    model: PreTrainedModel = AutoModel.from_config(config)
    stir(model)
    return model.eval()


def hidden(model: PreTrainedModel, length: int) -> Tensor:
    with torch.inference_mode():
        states_TE: Tensor = model(torch.arange(3, 3 + length)[None], use_cache=False).last_hidden_state[0]
    return states_TE


@pytest.mark.parametrize(
    ("model_type", "settings", "expected"),
    [
        ("llama", {"max_position_embeddings": 8192}, 8192),
        ("gpt2", {"n_positions": 1024}, 1024),
        ("mpt", {"max_seq_len": 2048}, 2048),
        ("mamba", {}, None),
        ("bloom", {}, None),
    ],
)
def test_a_context_is_what_the_config_says(model_type: str, settings: dict[str, int], expected: int | None) -> None:
    config = AutoConfig.for_model(model_type, **settings)
    assert context_of(config) == expected
    assert readable(config) == (expected or sys.maxsize)
    assert original_context(config) is None
    assert settle_rope(made(likeness(config)), 8) == (context_of(likeness(config)) or sys.maxsize)


@pytest.mark.parametrize(("length", "expected"), [(8, SHORT), (SHORT, SHORT), (SHORT + 1, LONG), (None, LONG)])
def test_long_rope_reads_as_far_as_its_angles_go(length: int | None, expected: int) -> None:
    assert original_context(phi3()) == SHORT
    assert readable(phi3(), length) == expected
    assert settle_rope(made(phi3()), length) == expected


@pytest.mark.parametrize("far", [False, True])
def test_settled_angles_are_those_of_transformers_on_that_side_of_the_limit(far: bool) -> None:
    length = SHORT + 9 if far else SHORT
    model = made(phi3())
    expected = hidden(model, length)
    settle_rope(model, LONG if far else SHORT)
    torch.testing.assert_close(hidden(model, length), expected)


def test_a_short_text_is_the_same_beside_a_long_one() -> None:
    model = made(phi3())
    ids_BT = torch.randint(3, 100, (2, 40), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for settled in (False, True):
            if settled:
                settle_rope(model)
            alone = model(ids_BT[:1, :10], use_cache=False).last_hidden_state[0]
            beside = model(ids_BT, use_cache=False).last_hidden_state[0, :10]
            assert torch.allclose(alone, beside, atol=1e-4) == settled


def test_angles_may_be_settled_again() -> None:
    model = made(phi3())
    expected = hidden(model, SHORT)
    settle_rope(model, LONG)
    settle_rope(model, SHORT)
    torch.testing.assert_close(hidden(model, SHORT), expected)


def test_a_prm_reads_as_long_texts_as_it_is_meant_for() -> None:
    assert PRM(made(phi3()), length=SHORT).context == SHORT
    assert PRM(made(phi3()), length=LONG).context == LONG
    assert PRM(made(phi3())).context == LONG


def test_an_engine_is_asked_for_no_more_than_the_model_reads() -> None:
    config = AutoConfig.for_model("llama", max_position_embeddings=512)
    assert engine_context(config, None) == 512
    assert engine_context(config, 100) == 100
    with pytest.raises(InputError, match=r"engine\.max_model_len: .*got 513; expected at most 512"):
        engine_context(config, 513)
    assert engine_context(phi3(), None) == LONG
    assert engine_context(phi3(), None, SHORT) == SHORT
    assert engine_context(phi3(), SHORT) == SHORT
    assert engine_context(phi3(), LONG, SHORT) == LONG
