import pytest
import torch
from transformers import AutoConfig, AutoModel, PreTrainedModel

from prmkit.errors import InputError
from prmkit.kv.attention import GROUPED
from prmkit.kv.prepared import prepared
from prmkit.kv.reader import KVReader
from prmkit.kv.rows import KVRows, advance, kv_shape
from prmkit.kv.tree import KVTree
from prmkit.models.twin import likeness, twin
from tests.zoo import BY_PLACE, RECURRENT, WINDOWED, tiny_layers

TEXTS = [[3 + (7 * at + 5 * row) % 60 for at in range(length)] for row, length in enumerate((41, 17, 30))]


def plain(model: PreTrainedModel, ids: list[int]) -> torch.Tensor:
    model.set_attn_implementation("eager")
    hidden_TE: torch.Tensor = model(torch.tensor([ids]), use_cache=False).last_hidden_state[0]
    return hidden_TE


@pytest.mark.parametrize("kind", WINDOWED)
@torch.inference_mode()
def test_texts_that_grow_beside_others_are_what_they_are_alone(kind: str) -> None:
    model = tiny_layers(kind)
    expected = [plain(model, ids) for ids in TEXTS]
    rows = KVRows(prepared(model), 3, 41)
    lengths = [0, 0, 0]
    for width in (9, 1, 1, 5, 1):  # within the window, and beyond it
        ids_BN = torch.tensor([ids[length : length + width] for ids, length in zip(TEXTS, lengths, strict=True)])
        hidden_BNE = advance(model, rows, ids_BN, lengths)
        for row, length in enumerate(lengths):
            torch.testing.assert_close(hidden_BNE[row], expected[row][length : length + width], rtol=1e-3, atol=1e-4)
        lengths = [length + width for length in lengths]


@pytest.mark.parametrize("kind", WINDOWED)
@torch.inference_mode()
def test_a_tree_of_texts_gives_what_each_gives_alone(kind: str) -> None:
    model = tiny_layers(kind)
    stem = TEXTS[0][:20]
    texts = [stem + TEXTS[1], stem + TEXTS[2], stem, TEXTS[0]]
    expected = [plain(model, ids)[[12, len(ids) - 1]] for ids in texts]
    reader = KVReader(prepared(model), KVTree(1 << 22), max_tokens=64)
    for order in (slice(None), slice(None, None, -1)):
        readings = reader.read(texts[order], [[12, len(ids) - 1] for ids in texts[order]])
        for reading, wanted in zip(readings, expected[order], strict=True):
            torch.testing.assert_close(reading.hidden_SE, wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [*RECURRENT, *BY_PLACE])
def test_what_goes_by_more_than_keys_values_and_positions_is_refused(kind: str) -> None:
    if kind == "bloom":  # by the place of keys in a row, which here is their position
        prepared(tiny_layers(kind))
        return
    with pytest.raises(InputError, match=r"cannot keep past key-values of this architecture.*Use the vllm engine"):
        prepared(tiny_layers(kind))


def test_query_heads_of_a_group_stand_in_one_matrix() -> None:
    model = prepared(tiny_layers("gpt_oss"))
    assert model.config._attn_implementation == GROUPED


def test_keys_and_values_may_differ_in_width() -> None:
    shape = kv_shape(tiny_layers("deepseek_v3"))
    assert shape.size == max(shape.key, shape.value)
    assert shape.key != shape.value


def test_what_fails_in_the_real_model_alone_is_refused() -> None:
    """As when weights of another architecture were put into a folder by hand."""
    model = twin(likeness(AutoConfig.for_model("llama")))

    class Forgetful(type(model)):  # type: ignore[misc]
        def forward(self, *args: object, **kwargs: object) -> object:
            output = super().forward(*args, **kwargs)
            if kwargs.get("past_key_values") is not None:
                output.last_hidden_state = output.last_hidden_state * 2
            return output

    model.__class__ = Forgetful
    with pytest.raises(InputError, match="a relative difference of 1 between a text in pieces and as a whole"):
        prepared(model)


def test_bfloat16_may_round() -> None:
    prepared(AutoModel.from_config(likeness(AutoConfig.for_model("qwen2")), dtype=torch.bfloat16))
