"""Which tokens of a large vocabulary can win a draw, found by a bound that costs one float32 exponential a token.

The argmax of ``logit + temperature * gumbel(u)`` is the first to arrive in a race in which a token takes the time
``-log(u) * exp((top - logit) / temperature)``, with ``top`` the largest logit. Since ``-log(u) >= 1 - u``, no token
arrives before ``(1 - u) * exp((top - logit) / temperature)``, and in front the two are nearly the same. So the Gumbel
numbers, two logarithms in float64 each, are needed of the first few alone, if the winner arrives before all others can.

Source: exp(-x) of the Gumbel-max trick, arXiv 1411.0030, section 2.

Shapes: B draws, V vocabulary, G groups of neighbouring tokens, C contenders.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from prmkit.generate.gumbel import BITS, words

_SIZE, _CHOSEN = 64, 8
"""Tokens of a group, and groups whose tokens are contenders: least numbers are found faster than an order of all."""

_SLACK = 1.001
"""Float32 puts a bound off by at most 2e-5 of itself, for exponents of at most the next number."""

_FARTHEST, _LONGEST = 80.0, 2.0**70
"""Larger exponents and bounds are taken for these, which float32 holds."""

COLDEST = 0.01
"""The lowest temperature at which the slack, a thousandth of it in logits, is far above what float64 rounds."""


class Contenders(NamedTuple):
    """The tokens of each draw that arrive first, by the bound; the time before which no other can; the top logit."""

    token_BC: Tensor
    rest_B1: Tensor
    top_B1: Tensor

    def hold(self, best_B1: Tensor, heat_B1: Tensor, margin: float) -> Tensor:
        """Whether they hold every token that comes within ``margin`` of ``best_B1``; shape (B, 1).

        False also where a logit is NaN or plus infinity, and where all are minus infinity.
        """
        rounding_B1 = best_B1.abs() * 2.0**-40
        return self.rest_B1 > ((self.top_B1 - best_B1 + margin + rounding_B1) / heat_B1).exp() * _SLACK


def contenders(pieces: Iterable[tuple[Tensor, Tensor, Tensor]], stride_V: Tensor) -> Contenders:
    """The tokens that can win.

    Args:
        pieces: some draws each: their logits, shape (B, V), places and temperatures, shape (B, 1).
        stride_V: of all tokens.
    """
    found = [_first(logits_BV, place_B1, heat_B1, stride_V) for logits_BV, place_B1, heat_B1 in pieces]
    return Contenders(*map(torch.cat, zip(*found, strict=True)))


def _first(logits_BV: Tensor, place_B1: Tensor, heat_B1: Tensor, stride_V: Tensor) -> Contenders:
    late_BV = words(place_B1, stride_V).bitwise_xor_((1 << BITS) - 1)  # (1 - u) * 2^BITS, rounded down
    logits_BV = logits_BV if logits_BV.itemsize >= 4 else logits_BV.float()
    top_B1 = logits_BV.amax(dim=1, keepdim=True)
    time_BV = (top_B1 - logits_BV).float().mul_(1 / heat_B1.float()).clamp_(max=_FARTHEST).exp_().mul_(late_BV)
    vocabulary, device = len(stride_V), stride_V.device
    whole = vocabulary // _SIZE * _SIZE
    first_BG = time_BV[:, :whole].unflatten(1, (-1, _SIZE)).amin(dim=2)
    soonest_BC, group_BC = first_BG.topk(min(_CHOSEN, first_BG.shape[1]), dim=1, largest=False)
    in_group_BC = (group_BC[:, :, None] * _SIZE + torch.arange(_SIZE, device=device)).flatten(start_dim=1)
    ungrouped_BC = torch.arange(whole, vocabulary, device=device).expand(len(group_BC), -1)
    token_BC = torch.cat([in_group_BC, ungrouped_BC], dim=1)
    rest_B1 = (soonest_BC[:, -1:].double() * 2.0**-BITS).clamp(max=_LONGEST)
    return Contenders(token_BC, rest_B1, top_B1.double())
