"""Matrix products of linear layers on a CPU, by the library that is fastest at them.

torch gives float32 products to MKL, which uses the widest instructions on Intel's processors alone. oneDNN, which torch
brings too and gives those of 16-bit types, takes them wherever they are.
"""

from typing import TypeVar

import torch
from torch import Tensor, nn

_WORTHWHILE = 1 << 16
"""Weights of a layer from which on the call, some 10 microseconds dearer, pays."""

Module = TypeVar("Module", bound=nn.Module)


def by_onednn(module: Module) -> Module:
    """The module, whose large float32 layers multiply by oneDNN on a CPU while no gradients are recorded.

    Results differ by rounding alone; the weights stay where and what they are. Where torch came without oneDNN, nothing
    changes.
    """
    if torch.backends.mkldnn.is_available():
        for layer in module.modules():
            # A subclass, such as one of quantised weights, has its own way to multiply.
            if type(layer) is nn.Linear and layer.weight.numel() >= _WORTHWHILE:
                layer.__class__ = _OneDnnLinear
    return module


class _OneDnnLinear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        plain = input.device.type == "cpu" and input.dtype == self.weight.dtype == torch.float32
        if not plain or torch.is_grad_enabled():
            return super().forward(input)
        # What torch.compile makes of a linear layer and what follows it; here nothing follows.
        product: Tensor = torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")
        return product
