import math

import pytest
import torch
from torch import Tensor

from prmkit.generate.gumbel import gumbel, places, stream_key, strides, words
from prmkit.generate.race import COLDEST, Contenders, contenders

CPU = torch.device("cpu")
V = 8_211  # no multiple of a group


def race(logits_BV: Tensor, temperature: float, *, seed: int = 0) -> tuple[Contenders, Tensor, Tensor]:
    """The contenders, what every token would be drawn by, and the temperatures."""
    count, vocabulary = logits_BV.shape
    place_B1 = places([stream_key(seed, row) for row in range(count)], [3] * count, CPU)
    stride_V = strides(torch.arange(vocabulary))
    heat_B1 = torch.full((count, 1), temperature, dtype=torch.float64)
    heated_BV = gumbel(words(place_B1, stride_V)) * temperature + logits_BV.double()
    half = count // 2
    pieces = [
        (logits_BV[:half], place_B1[:half], heat_B1[:half]),
        (logits_BV[half:], place_B1[half:], heat_B1[half:]),
    ]
    return contenders(pieces, stride_V), heated_BV, heat_B1


def near(heated_BV: Tensor, margin: float) -> list[set[int]]:
    """The tokens within the margin of the best."""
    return [set((row >= row.max() - margin).nonzero()[:, 0].tolist()) for row in heated_BV]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("temperature", [COLDEST, 0.7, 2.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 6.0])
def test_who_is_said_to_be_among_them_is(scale: float, temperature: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    logits_BV = (torch.randn(40, V) * scale).to(dtype)
    for margin in (0.0, 1e-4, 0.1, 3.0):
        found, heated_BV, heat_B1 = race(logits_BV, temperature)
        sure_B = found.hold(heated_BV.amax(1, keepdim=True), heat_B1, margin)[:, 0].tolist()
        for row, (tokens, expected) in enumerate(zip(found.token_BC.tolist(), near(heated_BV, margin), strict=True)):
            assert len(set(tokens)) == len(tokens)
            assert all(0 <= token < V for token in tokens)
            assert not sure_B[row] or expected <= set(tokens)
        if margin <= 1e-4:
            assert all(sure_B)  # so that nearly no draw is made twice
        if margin / temperature >= 30:
            assert not any(sure_B)


def test_the_first_and_the_last_token_can_win() -> None:
    logits_BV = torch.zeros(2, V)
    logits_BV[0, 0] = logits_BV[1, V - 1] = 50.0
    found, heated_BV, heat_B1 = race(logits_BV, 1.0)
    assert [0 in found.token_BC[0], V - 1 in found.token_BC[1]] == [True, True]
    assert found.hold(heated_BV.amax(1, keepdim=True), heat_B1, 1e-4).all()


def test_impossible_tokens_do_not_matter_as_long_as_one_is_possible() -> None:
    logits_BV = torch.full((2, V), -torch.inf)
    logits_BV[:, 77] = 1.0
    found, heated_BV, heat_B1 = race(logits_BV, 1.0)
    best_B1 = heated_BV.amax(1, keepdim=True)
    assert all(77 in tokens for tokens in found.token_BC)
    assert found.hold(best_B1, heat_B1, 1e-4).all()
    # Times beyond what float32 holds are not taken for infinite.
    assert not found.hold(best_B1, heat_B1, 60.0).any()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nothing_is_said_of_logits_that_are_no_numbers(value: float) -> None:
    logits_BV = torch.randn(2, V)
    logits_BV[:, 5] = value
    found, heated_BV, heat_B1 = race(logits_BV, 1.0)
    assert not found.hold(heated_BV.amax(1, keepdim=True), heat_B1, 0.0).any()
    found, heated_BV, heat_B1 = race(torch.full((2, V), -torch.inf), 1.0)
    assert not found.hold(heated_BV.amax(1, keepdim=True), heat_B1, 0.0).any()
