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

    Results differ by rounding alone. Weights keep their values, and those of layers within the module are laid out by
    columns, as oneDNN reads them; a module that is a layer itself, such as an LM head, may share its own with an
    embedding, which is read by rows. Where torch came without oneDNN, nothing changes.
    """
    if torch.backends.mkldnn.is_available():
        for layer in module.modules():
            # A subclass, such as one of quantised weights, has its own way to multiply.
            if type(layer) is nn.Linear and layer.weight.numel() >= _WORTHWHILE:
                layer.__class__ = _OneDnnLinear
                if layer is not module and _suits(layer.weight):
                    layer.weight.data = layer.weight.data.t().contiguous().t()
    return module


class _OneDnnLinear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        if torch.is_grad_enabled() or not (_suits(input) and _suits(self.weight)):
            return super().forward(input)
        # What torch.compile makes of a linear layer and what follows it; here nothing follows.
        product: Tensor = torch.ops.mkldnn._linear_pointwise(input, self.weight, self.bias, "none", [], "")
        return product


def _suits(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32
