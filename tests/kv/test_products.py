import copy

import pytest
import torch
from torch import Tensor, nn

from prmkit.kv.products import by_onednn

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch came without oneDNN")


class Own(nn.Linear):
    """A layer with its own way to multiply."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input) + 1


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.large = nn.Linear(256, 512)
        self.bare = nn.Linear(512, 256, bias=False)
        self.small = nn.Linear(256, 8)
        self.own = Own(256, 256)

    def forward(self, input: Tensor) -> Tensor:
        hidden: Tensor = self.small(self.own(self.bare(self.large(input))))
        return hidden


@pytest.fixture
def layers() -> Layers:
    torch.manual_seed(0)
    return Layers()


@pytest.mark.parametrize("shape", [(256,), (1, 256), (37, 256), (3, 5, 256), (0, 256)])
def test_only_rounding_changes(layers: Layers, shape: tuple[int, ...]) -> None:
    input = torch.randn(*shape)
    with torch.inference_mode():
        expected = layers(input)
        found = by_onednn(layers)(input)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@needs_onednn
def test_large_plain_layers_multiply_by_onednn_and_others_as_before(
    layers: Layers, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_torch: list[tuple[int, ...]] = []
    linear = nn.functional.linear

    def counted(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        by_torch.append(tuple(weight.shape))
        return linear(input, weight, bias)

    monkeypatch.setattr(nn.functional, "linear", counted)
    by_onednn(layers)
    with torch.no_grad():
        layers(torch.randn(4, 256))
    assert by_torch == [(256, 256), (8, 256)]
    by_torch.clear()
    layers(torch.randn(4, 256))  # gradients are recorded
    assert by_torch == [(512, 256), (256, 512), (256, 256), (8, 256)]
    by_torch.clear()
    with torch.no_grad():
        layers.bfloat16()(torch.randn(4, 256).bfloat16())
    assert len(by_torch) == 4


def test_gradients_are_those_of_plain_layers(layers: Layers) -> None:
    input = torch.randn(4, 256)
    plain = copy.deepcopy(layers)
    by_onednn(layers)(input).sum().backward()
    plain(input).sum().backward()
    for one, other in zip(layers.parameters(), plain.parameters(), strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad)  # sums over weights that lie otherwise end in other last bits


def test_weights_stay_what_they_are_and_those_of_layers_inside_lie_by_columns(layers: Layers) -> None:
    before = {name: weight.clone() for name, weight in layers.state_dict().items()}
    assert by_onednn(layers) is layers
    by_onednn(layers)  # a second time does nothing
    after = layers.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(weight, before[name]) for name, weight in after.items())
    with torch.inference_mode():
        assert torch.equal(copy.deepcopy(layers)(torch.ones(2, 256)), layers(torch.ones(2, 256)))
    rows = [name for name, weight in after.items() if weight.dim() == 2 and weight.is_contiguous()]
    assert rows == ["small.weight", "own.weight"] if torch.backends.mkldnn.is_available() else len(rows) == 4


def test_weights_that_an_embedding_may_share_stay_where_they_are() -> None:
    head, embedding = nn.Linear(256, 1000, bias=False), nn.Embedding(1000, 256)
    head.weight = embedding.weight
    by_onednn(head)
    assert head.weight is embedding.weight
    assert embedding.weight.is_contiguous()
