"""Gumbel numbers that belong to a place: each a function of seed, sample, position and token alone.

Shapes: B rows, V vocabulary, C tokens of a row.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

_GOLDEN = 0x9E3779B97F4A7C15
_WORD = 0xFFFFFFFFFFFFFFFF

BITS = 52
"""Bits of a uniform number."""


def stream_key(seed: int, sample: int) -> int:
    """The random stream of a sample: 64 bits, with a sign."""
    return _signed(_mixed(_mixed(seed & _WORD) + sample & _WORD))


def places(keys: Sequence[int], positions: Sequence[int], device: torch.device) -> Tensor:
    """What ``words`` needs to know of rows: their streams' keys, and the position in each; shape (B, 1)."""
    place_2B = torch.tensor([keys, positions], dtype=torch.int64, device=device)
    return _mixed_tensor(place_2B[0] + place_2B[1] * _signed(_GOLDEN))[:, None]


def strides(token: Tensor) -> Tensor:
    """What ``words`` needs to know of tokens."""
    return token * _signed(_GOLDEN)


def words(place_B1: Tensor, stride: Tensor) -> Tensor:
    """A random number from 0 to 2^BITS - 1 for each row and token, shape (B, V) or (B, C)."""
    word = _mixed_tensor(place_B1 + stride)
    return _shifted(word, 64 - BITS, word)


def gumbel(word: Tensor) -> Tensor:
    """The standard Gumbel numbers of random words, in double precision."""
    return word.double().add_(0.5).mul_(2.0**-BITS).log_().neg_().log_().neg_()


# SplitMix64 (Steele, Lea, Flood 2014), in Python's integers and in torch's, which wrap around as C's do.
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def _mixed(word: int) -> int:
    word = (word ^ word >> 30) * _FIRST & _WORD
    word = (word ^ word >> 27) * _SECOND & _WORD
    return word ^ word >> 31


def _mixed_tensor(word: Tensor) -> Tensor:
    """The word itself, changed in place."""
    scratch = torch.empty_like(word)
    word.bitwise_xor_(_shifted(word, 30, scratch)).mul_(_signed(_FIRST))
    word.bitwise_xor_(_shifted(word, 27, scratch)).mul_(_signed(_SECOND))
    return word.bitwise_xor_(_shifted(word, 31, scratch))


def _shifted(word: Tensor, by: int, out: Tensor) -> Tensor:
    """Shift right, filling with zeros where torch fills with the sign."""
    return torch.bitwise_right_shift(word, by, out=out).bitwise_and_((1 << 64 - by) - 1)


def _signed(word: int) -> int:
    return word - (1 << 64) if word >> 63 else word
