import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from prmkit.models.config import ModelConfig
from prmkit.models.layout import Layout, block_mask, dense_mask, laid_out, packed_layout
from prmkit.models.prm import PRM
from prmkit.packing.batch import collate
from prmkit.packing.sequence import Packing
from tests.packing.test_batch import SHORT, forked
from tests.tiny import tiny_backbone, tiny_encoder, tree_rows
from tests.zoo import BY_PLACE, RECURRENT, WINDOWED, tiny_layers

ENCODER = tiny_encoder()

# Two texts that part after 20 tokens, and one beside them.
STEM, LEFT, RIGHT, OTHER = 20, 14, 17, 23


def packing() -> Packing:
    """Stem, left, right, other in one row; the right branch takes up the positions where the left one did."""
    branches = [*range(STEM), *range(STEM, STEM + LEFT), *range(STEM, STEM + RIGHT)]
    end = STEM + LEFT + RIGHT
    until = [end] * STEM + [STEM + LEFT] * LEFT + [end] * RIGHT + [end + OTHER] * OTHER
    return Packing(torch.tensor([[*branches, *range(OTHER)]]), torch.tensor([until]))


def alone(model: PreTrainedModel, ids_T: Tensor) -> Tensor:
    """What each token of the packed row is in a text of its own, by attention as the model itself writes it out."""
    stem, left, right, other = ids_T.split([STEM, LEFT, RIGHT, OTHER])
    model.set_attn_implementation("eager")
    texts = [torch.cat([stem, left]), torch.cat([stem, right]), other]
    first, second, third = (model(input_ids=text[None], use_cache=False).last_hidden_state[0] for text in texts)
    return torch.cat([first, second[STEM:], third])


def together(model: PreTrainedModel, ids_T: Tensor, how: str) -> Tensor:
    model.set_attn_implementation(how)
    layout = packing()
    ids_1T = ids_T[None]
    with laid_out(packed_layout(layout)):
        output = model(
            input_ids=ids_1T,
            attention_mask=torch.ones_like(ids_1T),
            position_ids=layout.positions_BT,
            use_cache=False,
        )
    hidden_TE: Tensor = output.last_hidden_state[0]
    return hidden_TE


@pytest.mark.parametrize("how", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", WINDOWED)
def test_packed_texts_are_what_they_are_alone(kind: str, how: str) -> None:
    model = tiny_layers(kind)
    if how == "sdpa" and (kind == "gemma2" or not model._supports_sdpa):
        pytest.skip("it has no such attention, or another one")
    ids_T = torch.randint(3, 128, (STEM + LEFT + RIGHT + OTHER,), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        torch.testing.assert_close(together(model, ids_T, how), alone(model, ids_T), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("kind", [*RECURRENT, *BY_PLACE])
def test_where_a_layer_goes_by_the_place_in_a_row_packing_is_another_function(kind: str) -> None:
    model = tiny_layers(kind)
    ids_T = torch.randint(3, 128, (STEM + LEFT + RIGHT + OTHER,), generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = alone(model, ids_T)
        try:
            found = together(model, ids_T, "eager")
        except TypeError:  # it takes no positions
            return
    assert float((found - expected).norm() / expected.norm()) > 1e-2


def test_rows_behind_cached_tokens_see_what_came_before() -> None:
    layout = Layout(torch.tensor([[3, 4], [0, 1]]), torch.arange(5)[None])
    assert dense_mask(layout)[:, 0].int().tolist() == [[[1, 1, 1, 1, 0], [1] * 5], [[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]]]


def test_a_window_is_counted_in_positions() -> None:
    # Two texts of three tokens that share the first: 0, 1 2, 1 2; each token sees one back.
    packing = Packing(torch.tensor([[0, 1, 2, 1, 2]]), torch.tensor([[5, 3, 3, 5, 5]]))

    def two(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (key > query - 2)

    assert dense_mask(packed_layout(packing), two)[0, 0].int().tolist() == [
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 1, 1, 0, 0],
        [1, 0, 0, 1, 0],
        [0, 0, 0, 1, 1],
    ]


@pytest.mark.parametrize("window", [None, 4])
def test_the_two_masks_are_one(window: int | None) -> None:
    batch = collate([*tree_rows(forked(), ENCODER, 64, budget=64).rows, *SHORT])
    assert batch.packing is not None
    layout = packed_layout(batch.packing)

    def near(row: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (key > query - (window or 0))

    dense_BTT = (dense_mask(layout, near) if window else dense_mask(layout))[:, 0]
    sparse = block_mask(layout, near) if window else block_mask(layout)
    tokens = dense_BTT.shape[1]
    for b in range(2):
        for i in range(tokens):
            for j in range(tokens):
                at = [torch.tensor(value) for value in (b, 0, i, j)]
                assert bool(sparse.mask_mod(*at)) == bool(dense_BTT[b, i, j])
    # A sibling is not seen, padding sees itself alone.
    assert dense_BTT[0, 8].tolist() == [not window] * 2 + [not window or True] + [True] * 2 + [False] * 3 + [
        True,
        False,
    ]
    assert dense_BTT[1, 9].nonzero().flatten().tolist() == [9]


def test_a_mask_that_is_added_is_of_numbers() -> None:
    model = tiny_layers("mistral")
    seen: list[Tensor] = []
    layer = next(module for name, module in model.named_modules() if name.endswith("self_attn"))
    layer.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(kwargs["attention_mask"]), with_kwargs=True
    )
    with torch.inference_mode():
        together(model, torch.arange(3, 3 + STEM + LEFT + RIGHT + OTHER), "eager")
    assert seen[0].dtype == torch.float32
    assert set(seen[0].unique().tolist()) == {0.0, torch.finfo(torch.float32).min}


@pytest.mark.parametrize("kind", ["qwen2", "qwen2, window", "gemma2"])
def test_flex_attention_gives_the_same_scores(kind: str, tmp_path: object) -> None:
    torch.manual_seed(0)
    if kind == "qwen2":
        name = tiny_backbone(tmp_path)  # type: ignore[arg-type]
        prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=64)).eval()
    else:
        prm = PRM(tiny_layers(kind)).eval()
    batch = collate(list(tree_rows(forked(), ENCODER, 64, budget=64).rows))
    scores = {}
    with torch.inference_mode():
        for how in ("eager", "flex_attention"):
            prm.model.set_attn_implementation(how)
            scores[how] = prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing)
    torch.testing.assert_close(scores["flex_attention"], scores["eager"], rtol=1e-4, atol=1e-5)
