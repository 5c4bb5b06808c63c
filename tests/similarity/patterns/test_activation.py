from collections.abc import Sequence
from typing import cast

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.activation import captured, differentiable, embedding_starts_gradient, single_patterns
from prmkit.similarity.patterns.batches import batched
from prmkit.similarity.patterns.parameters import OUTSIDE, LayerPart, chosen_parts, tiles_of
from prmkit.similarity.patterns.targets import target_values
from prmkit.similarity.response import Response
from tests.similarity.conftest import response

ANY = response(4, 5, 6, 7, 8)


def pattern(model: PreTrainedModel, one: Response, parts: Sequence[LayerPart], target: str) -> dict[str, torch.Tensor]:
    """The pattern over each weight."""
    tiles = tiles_of(enumerate(parts))
    out = [torch.empty(1, tile.size) for tile in tiles]
    batch = batched(model, [one], 1)[0]
    function = target_values(target)
    for _ in single_patterns(model, batch, tiles, function, "weight_gradient", out.__getitem__):
        pass
    return {tile.weight.name: values[0] for tile, values in zip(tiles, out, strict=True)}


def logits(model: PreTrainedModel, ids: tuple[int, ...]) -> torch.Tensor:
    return model(input_ids=torch.tensor([ids])).logits[0]


@pytest.mark.parametrize("target", ["max_logit", "log_likelihood", "logit_sum"])
def test_a_pattern_is_weight_times_gradient(model: PreTrainedModel, target: str) -> None:
    found = pattern(model, ANY, chosen_parts(model, SimilarityConfig(parameters="all")), target)
    rows = logits(model, ANY.ids)
    if target == "max_logit":
        value = rows[-1].max()
    elif target == "logit_sum":
        value = rows[1:].max(dim=-1).values.sum()
    else:  # The tokens at 2, 3 and 4 are predicted after 1, 2 and 3.
        value = sum(torch.log_softmax(rows[at - 1], dim=-1)[ANY.ids[at]] for at in (2, 3, 4))
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(value, parameters)
    assert found.keys() == set(names)
    for name, parameter, gradient in zip(names, parameters, gradients, strict=True):
        torch.testing.assert_close(found[name], (parameter * gradient).abs().flatten().detach())


def test_the_gradient_is_the_slope_of_the_logit(model: PreTrainedModel) -> None:
    chosen = chosen_parts(model, SimilarityConfig(parameters="attention"))
    weight = chosen[0].weights[0]
    found = pattern(model, ANY, chosen, "max_logit")[weight.name]
    token = int(logits(model, ANY.ids)[-1].argmax())
    step = 1e-3
    for at in (0, 17, 101):
        flat = weight.parameter.data.view(-1)
        before = float(flat[at])
        values = []
        for moved in (before + step, before - step):
            flat[at] = moved
            with torch.no_grad():
                values.append(float(logits(model, ANY.ids)[-1, token]))
        flat[at] = before
        slope = (values[0] - values[1]) / (2 * step)
        assert float(found[at]) == pytest.approx(abs(before * slope), rel=0.05, abs=1e-6)


def test_what_stands_outside_the_layers_is_a_part_of_its_own(model: PreTrainedModel) -> None:
    outside = chosen_parts(model, SimilarityConfig(parameters="all"))[-1]
    assert outside.layer == OUTSIDE
    assert {weight.name for weight in outside.weights} >= {"model.embed_tokens.weight", "model.norm.weight"}


def test_positions_without_a_delta_are_left_out_and_change_nothing(model: PreTrainedModel) -> None:
    batch = batched(model, [ANY, response(4, 5, 6)], 100)[0]
    last = cast(nn.Module, model.model.layers[-1].mlp.down_proj)
    with differentiable(model, ()), embedding_starts_gradient(model) as starts, captured({last}) as factors:
        torch.autograd.grad(target_values("max_logit")(model, batch).values_B.sum(), starts)
    ((x_BKI, delta_BKO),) = factors[last]
    assert (x_BKI.shape[1], delta_BKO.shape[1]) == (1, 1)  # F looks at one token of each, and they stand apart
    parts = [part for part in chosen_parts(model, SimilarityConfig()) if part.kind == "mlp"]
    tiles = [tile for tile in tiles_of(enumerate(parts)) if tile.weight.module is last]
    out = torch.empty(1, tiles[0].size)
    one, target = batched(model, [ANY], 100)[0], target_values("max_logit")
    list(single_patterns(model, one, tiles, target, "signed_gradient", lambda index: out))
    torch.testing.assert_close(out.view(last.weight.shape), delta_BKO[0].T @ x_BKI[0], rtol=1e-4, atol=1e-7)
