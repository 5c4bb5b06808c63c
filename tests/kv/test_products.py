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
        assert torch.equal(one.grad, other.grad)


def test_weights_stay_what_and_where_they_are(layers: Layers) -> None:
    before = {name: (weight.data_ptr(), weight.clone()) for name, weight in layers.state_dict().items()}
    assert by_onednn(layers) is layers
    by_onednn(layers)  # a second time does nothing
    with torch.inference_mode():
        layers(torch.randn(4, 256))
        assert torch.equal(copy.deepcopy(layers)(torch.ones(2, 256)), layers(torch.ones(2, 256)))
    after = layers.state_dict()
    assert after.keys() == before.keys()
    assert all(weight.data_ptr() == before[name][0] for name, weight in after.items())
    assert all(torch.equal(weight, before[name][1]) for name, weight in after.items())
