"""Drawing tokens so that a text depends on its seed, and not on what else is computed beside it.

A token is the argmax of ``logit + temperature * gumbel``, with a Gumbel number of its own for each (seed, sample,
position, token). That is a draw from the softmax, and it moves with the rounding of floating-point sums only where the
two largest come within that rounding of each other; inverting a cumulative sum, the other common way, moves wherever a
sum over unlikely tokens does. Such near ties are reported, so that the caller can look again.

Source: the Gumbel-max trick, arXiv 1411.0030, section 2.

Shapes: B rows, V vocabulary.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from prmkit.errors import RunError

_PIECE = 1 << 22
"""Numbers of a batch that are worked on at once."""

_NAN = -1
"""In the place of a token."""

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 0xFFFFFFFFFFFFFFFF


class Draws(NamedTuple):
    """What the tokens of one continuation are drawn with. ``key`` names its random stream."""

    key: int
    temperature: float
    top_p: float


def stream_key(seed: int, sample: int) -> int:
    """The random stream of a sample: 64 bits, with a sign."""
    return _signed(_mixed(_mixed(seed & _WORD) + sample & _WORD))


def draw_tokens(
    logits_BV: Tensor, draws: Sequence[Draws], positions: Sequence[int], *, margin: float
) -> tuple[list[int], list[int]]:
    """A token for each row, and the rows in which another token came within ``margin`` (in logits) of it.

    Args:
        logits_BV: of each row.
        draws: what its continuation is drawn with.
        positions: the place of the token in its continuation's random stream.
        margin: 0 where nobody looks again.

    Raises:
        RunError: the model gave a logit that is no number.
    """
    tokens: list[int] = []
    close: list[int] = []
    size = max(1, _PIECE // logits_BV.shape[1])
    for begin in range(0, len(draws), size):
        piece = slice(begin, begin + size)
        tokens_B, close_B = _draw(logits_BV[piece].double(), draws[piece], positions[piece], margin)
        tokens += tokens_B
        close += [begin + row for row, is_close in enumerate(close_B) if is_close]
    return tokens, close


def _draw(
    logits_BV: Tensor, draws: Sequence[Draws], positions: Sequence[int], margin: float
) -> tuple[list[int], list[int]]:
    device = logits_BV.device
    keys, temperatures, tops = zip(*draws, strict=True)
    heat_B1 = torch.tensor(temperatures, dtype=torch.float64, device=device)[:, None]
    heated_BV = _gumbel(keys, positions, logits_BV.shape[1], device).mul_(heat_B1).add_(logits_BV)
    nucleus = min(tops) < 1
    if nucleus:
        # Temperature 0 takes the likeliest token, which is in every nucleus.
        kept = [top_p if temperature > 0 else 1.0 for _, temperature, top_p in draws]
        top_p_B1 = torch.tensor(kept, dtype=torch.float64, device=device)[:, None]
        log_BV = (logits_BV / heat_B1.clamp(min=1e-6)).log_softmax(dim=1)
        blur_B1 = margin / heat_B1.clamp(min=1e-6)
        heated_BV = heated_BV.masked_fill(~_may_be_kept(log_BV, top_p_B1, blur_B1), -torch.inf)
    best_B2, token_B2 = heated_BV.topk(2, dim=1)
    close_B = best_B2[:, 0] - best_B2[:, 1] < margin
    if nucleus and margin > 0:
        close_B = close_B | ~_must_be_kept(token_B2[:, :1], log_BV, top_p_B1, blur_B1)
    # One transfer for the whole batch.
    tokens, close = torch.stack([token_B2[:, 0].masked_fill(best_B2[:, 0].isnan(), _NAN), close_B.long()]).tolist()
    if _NAN in tokens:
        raise RunError("the policy gave logits that are NaN; check its dtype and weights")
    return tokens, close


def _may_be_kept(log_BV: Tensor, top_p_B1: Tensor, blur_B1: Tensor) -> Tensor:
    """The smallest set of tokens that reaches ``top_p``, and what ``blur`` in the log-probabilities could bring in."""
    sorted_BV = log_BV.sort(dim=1, descending=True, stable=True).values
    before_BV = sorted_BV.exp().cumsum(dim=1) - sorted_BV.exp()
    count_B1 = ((before_BV < top_p_B1 + blur_B1) | (top_p_B1 == 1)).sum(dim=1, keepdim=True)
    return log_BV >= sorted_BV.gather(1, count_B1 - 1) - blur_B1


def _must_be_kept(token_B1: Tensor, log_BV: Tensor, top_p_B1: Tensor, blur_B1: Tensor) -> Tensor:
    """Whether a token is in that set even if all that come near it in probability stand before it."""
    log_B1 = log_BV.gather(1, token_B1)
    before_B1 = log_BV.exp().masked_fill(log_BV < log_B1 - blur_B1, 0.0).sum(dim=1, keepdim=True) - log_B1.exp()
    return ((before_B1 < top_p_B1 - blur_B1) | (top_p_B1 == 1))[:, 0]


def _gumbel(keys: Sequence[int], positions: Sequence[int], vocabulary: int, device: torch.device) -> Tensor:
    """Standard Gumbel numbers, shape (B, V), each a function of key, position and token alone."""
    place_2B = torch.tensor([keys, positions], dtype=torch.int64, device=device)
    base_B1 = _mixed_tensor(place_2B[0] + place_2B[1] * _signed(_GOLDEN))[:, None]
    step_V = torch.arange(vocabulary, dtype=torch.int64, device=device) * _signed(_GOLDEN)
    word_BV = _mixed_tensor(base_B1 + step_V)
    uniform_BV = _shifted(word_BV, 12).double().add_(0.5).mul_(2.0**-52)
    return uniform_BV.log_().neg_().log_().neg_()


# SplitMix64 (Steele, Lea, Flood 2014), in Python's integers and in torch's, which wrap around as C's do.
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def _mixed(word: int) -> int:
    word = (word ^ word >> 30) * _FIRST & _WORD
    word = (word ^ word >> 27) * _SECOND & _WORD
    return word ^ word >> 31


def _mixed_tensor(word: Tensor) -> Tensor:
    """The word itself, changed in place."""
    word.bitwise_xor_(_shifted(word, 30)).mul_(_signed(_FIRST))
    word.bitwise_xor_(_shifted(word, 27)).mul_(_signed(_SECOND))
    return word.bitwise_xor_(_shifted(word, 31))


def _shifted(word: Tensor, by: int) -> Tensor:
    """Shift right, filling with zeros where torch fills with the sign."""
    return (word >> by).bitwise_and_((1 << 64 - by) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
