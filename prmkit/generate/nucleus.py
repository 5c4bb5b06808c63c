"""The nucleus: the smallest set of likeliest tokens whose probabilities reach ``top_p``.

Rounding may move a log-probability by ``blur``, and so a token over the nucleus' edge.

Source: top-p sampling, arXiv 1904.09751, section 3.1.

Shapes: B draws, C tokens, the likeliest first.
"""

from torch import Tensor


def least_kept(log_BC: Tensor, top_p_B1: Tensor, blur_B1: Tensor) -> Tensor:
    """The log-probability from which on a token is in the nucleus, or could be brought in by rounding; shape (B, 1)."""
    mass_BC = log_BC.exp()
    before_BC = mass_BC.cumsum(dim=1) - mass_BC
    count_B1 = (before_BC < top_p_B1 + blur_B1).sum(dim=1, keepdim=True)
    return log_BC.gather(1, (count_B1 - 1).clamp(min=0)) - blur_B1  # none is kept where all are NaN


def surely_kept(log_B1: Tensor, log_BC: Tensor, top_p_B1: Tensor, blur_B1: Tensor) -> Tensor:
    """Whether a token is in the nucleus even if all that come near it in probability stand before it; shape (B, 1)."""
    before_B1 = log_BC.exp().masked_fill(log_BC < log_B1 - blur_B1, 0.0).sum(dim=1, keepdim=True) - log_B1.exp()
    return before_B1 < top_p_B1 - blur_B1
