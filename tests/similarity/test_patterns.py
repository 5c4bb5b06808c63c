import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError, RunError
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.parameters import OUTSIDE, chosen_parameters
from prmkit.similarity.patterns import activation_pattern, content_ids
from tests.similarity.conftest import response

ANY = response(4, 5, 6, 7, 8)


def logits(model: PreTrainedModel, ids: tuple[int, ...]) -> torch.Tensor:
    return model(input_ids=torch.tensor([ids])).logits[0]


@pytest.mark.parametrize("target", ["max_logit", "log_likelihood"])
def test_a_pattern_is_weight_times_gradient(model: PreTrainedModel, target: str) -> None:
    config = SimilarityConfig(target=target, parameters="all")  # type: ignore[arg-type]
    pattern = activation_pattern(model, ANY, chosen_parameters(model, config), config)
    rows = logits(model, ANY.ids)
    if target == "max_logit":
        value = rows[-1].max()
    else:  # The tokens at 2, 3 and 4 are predicted after 1, 2 and 3.
        value = sum(torch.log_softmax(rows[at - 1], dim=-1)[ANY.ids[at]] for at in (2, 3, 4))
    names, parameters = zip(*model.named_parameters(), strict=True)
    gradients = torch.autograd.grad(value, parameters)
    wanted: dict[int, list[torch.Tensor]] = {0: [], 1: [], OUTSIDE: []}
    for name, parameter, gradient in zip(names, parameters, gradients, strict=True):
        layer = int(name.split(".")[2]) if ".layers." in name else OUTSIDE
        wanted[layer].append((parameter * gradient).abs().flatten().detach())
    assert pattern.layers.keys() == wanted.keys()
    for layer, vectors in wanted.items():
        torch.testing.assert_close(pattern.layers[layer], torch.cat(vectors))
    assert pattern.predicted_token == int(rows[-1].argmax())


def test_the_gradient_is_the_slope_of_the_logit(model: PreTrainedModel) -> None:
    config = SimilarityConfig(parameters="attention")
    chosen = chosen_parameters(model, config)
    pattern = activation_pattern(model, ANY, chosen, config)
    weight = chosen[0].parameters[0]
    step = 1e-3
    for at in (0, 17, 101):
        flat = weight.data.view(-1)
        before = float(flat[at])
        values = []
        for moved in (before + step, before - step):
            flat[at] = moved
            with torch.no_grad():
                values.append(float(logits(model, ANY.ids)[-1, pattern.predicted_token]))
        flat[at] = before
        slope = (values[0] - values[1]) / (2 * step)
        assert float(pattern.layers[0][at]) == pytest.approx(abs(before * slope), rel=0.05, abs=1e-6)


def test_the_model_is_left_as_it_was(model: PreTrainedModel) -> None:
    config = SimilarityConfig()
    model.train()
    next(model.parameters()).requires_grad_(False)
    before = [parameter.requires_grad for parameter in model.parameters()]
    activation_pattern(model, ANY, chosen_parameters(model, config), config)
    assert model.training
    assert [parameter.requires_grad for parameter in model.parameters()] == before
    assert all(parameter.grad is None for parameter in model.parameters())
    next(model.parameters()).requires_grad_(True)
    model.eval()


def test_end_tokens_after_the_response_do_not_count(model: PreTrainedModel) -> None:
    end = model.config.eos_token_id
    assert content_ids(model, response(4, 5, 6, end, end)) == (4, 5, 6)
    assert content_ids(model, response(4, end, 6, end)) == (4, end, 6)


@pytest.mark.parametrize(
    ("ids", "message"),
    [((4, 5, 1), "only end tokens"), ((4,) * 257, "longer than the context, got '257 tokens'"), ((4, 5, 999), "999")],
)
def test_a_response_that_does_not_suit_the_model(model: PreTrainedModel, ids: tuple[int, ...], message: str) -> None:
    assert model.config.eos_token_id == 1
    with pytest.raises(InputError, match=f"p: .*{message}"):
        content_ids(model, response(*ids))


def test_a_gradient_that_is_not_finite_names_its_layer(model: PreTrainedModel) -> None:
    config = SimilarityConfig()
    chosen = chosen_parameters(model, config)
    weight = chosen[1].parameters[0]
    before = weight.data.clone()
    weight.data[0, 0] = torch.inf
    with pytest.raises(RunError, match="p: the gradient of layer"):
        activation_pattern(model, ANY, chosen, config)
    weight.data.copy_(before)
