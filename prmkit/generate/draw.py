"""Drawing tokens so that a text depends on its seed, and not on what else is computed beside it.

A token is the argmax of ``logit + temperature * gumbel``, with a Gumbel number of its own for each (seed, sample,
position, token). That is a draw from the softmax, and it moves with the rounding of floating-point sums only where the
two largest come within that rounding of each other; inverting a cumulative sum, the other common way, moves wherever a
sum over unlikely tokens does. Such near ties are reported, so that the caller can look again.

Source: the Gumbel-max trick, arXiv 1411.0030, section 2.

Shapes: L rows of logits, B draws, V vocabulary, C tokens that can be drawn.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from prmkit.errors import RunError
from prmkit.generate.gumbel import gumbel, places, strides, words
from prmkit.generate.nucleus import least_kept, surely_kept
from prmkit.generate.race import COLDEST, contenders

_PIECE, _CPU_PIECE = 1 << 22, 1 << 18
"""Logits that are worked on at once: what fills a GPU, and what stays in the cache of a CPU."""

_LARGE = 1 << 13
"""From that vocabulary on it costs less to find the tokens that can win than to compute the Gumbel numbers of all."""

_LIKELIEST = 512
"""The tokens in which a nucleus is looked for first."""

_NAN = -1
"""In the place of a token."""


class Draws(NamedTuple):
    """What the tokens of one continuation are drawn with. ``key`` names its random stream."""

    key: int
    temperature: float
    top_p: float


def draw_tokens(
    logits_LV: Tensor,
    draws: Sequence[Draws],
    positions: Sequence[int],
    *,
    margin: float,
    lanes: Sequence[int] | None = None,
) -> tuple[list[int], list[int]]:
    """A token for each draw, and the draws in which another token came within ``margin`` (in logits) of it.

    Args:
        logits_LV: what tokens are drawn from.
        draws: what each continuation is drawn with.
        positions: the place of the token in its continuation's random stream.
        margin: 0 where nobody looks again.
        lanes: the row of the logits that each draw is from; None for one draw from each.

    Raises:
        RunError: the model gave a logit that is no number.
    """
    tokens, close = [_NAN] * len(draws), [False] * len(draws)
    waiting: dict[_Way, list[int]] = defaultdict(list)
    for index, one in enumerate(draws):
        waiting[_way(one, logits_LV.shape[1])].append(index)
    while waiting:
        way, chosen = waiting.popitem()
        rows = _Rows(
            logits_LV,
            [lanes[index] for index in chosen] if lanes else chosen,
            [draws[index] for index in chosen],
            [positions[index] for index in chosen],
        )
        # One transfer for the whole batch.
        for index, token, is_close, is_sure in zip(chosen, *torch.stack(way(rows, margin)).tolist(), strict=True):
            if is_sure:
                tokens[index], close[index] = token, bool(is_close)
            else:
                waiting[_THOROUGH[way]].append(index)
    if _NAN in tokens:
        raise RunError("the policy gave logits that are NaN; check its dtype and weights")
    return tokens, [index for index, is_close in enumerate(close) if is_close]


class _Rows:
    """Draws as tensors on the device of their logits."""

    def __init__(
        self, logits_LV: Tensor, lanes: Sequence[int], draws: Sequence[Draws], positions: Sequence[int]
    ) -> None:
        device = logits_LV.device
        keys, temperatures, tops = zip(*draws, strict=True)
        self.logits_LV, self.vocabulary = logits_LV, logits_LV.shape[1]
        # Without a choice the logits are not copied.
        self.lane_B = None if lanes == list(range(len(logits_LV))) else torch.tensor(lanes, device=device)
        self.place_B1 = places(keys, positions, device)
        self.heat_B1 = torch.tensor(temperatures, dtype=torch.float64, device=device)[:, None]
        self._tops = tops

    @property
    def top_p_B1(self) -> Tensor:
        return torch.tensor(self._tops, dtype=torch.float64, device=self.logits_LV.device)[:, None]

    def pieces(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """The logits, places and temperatures of some rows after the other."""
        size = max(1, (_CPU_PIECE if self.logits_LV.device.type == "cpu" else _PIECE) // self.vocabulary)
        for begin in range(0, len(self.place_B1), size):
            piece = slice(begin, begin + size)
            logits_BV = self.logits_LV[piece if self.lane_B is None else self.lane_B[piece]]
            yield logits_BV, self.place_B1[piece], self.heat_B1[piece]

    def strides(self) -> Tensor:
        """Those of all tokens."""
        return strides(torch.arange(self.vocabulary, device=self.logits_LV.device))

    def heated(self, token_BC: Tensor) -> Tensor:
        """``logit + temperature * gumbel`` of some tokens."""
        lane_B = torch.arange(len(token_BC), device=token_BC.device) if self.lane_B is None else self.lane_B
        logits_BC = self.logits_LV[lane_B[:, None], token_BC]
        return gumbel(words(self.place_B1, strides(token_BC))).mul_(self.heat_B1).add_(logits_BC)


class _Drawn(NamedTuple):
    """The token of each row, whether another came close, and whether the tokens that were left out change nothing."""

    token_B: Tensor
    close_B: Tensor
    sure_B: Tensor


_Way = Callable[[_Rows, float], _Drawn]


def _way(one: Draws, vocabulary: int) -> _Way:
    if one.temperature == 0:
        return _likeliest  # which is in every nucleus
    if one.top_p < 1:
        return _of_nucleus
    return _of_contenders if vocabulary >= _LARGE and one.temperature >= COLDEST else _of_all


def _likeliest(rows: _Rows, margin: float) -> _Drawn:
    found = [logits_BV.topk(2, dim=1) for logits_BV, _, _ in rows.pieces()]
    best_B2, token_B2 = map(torch.cat, zip(*found, strict=True))
    return _first_of_two(best_B2.double(), token_B2, margin)


def _of_all(rows: _Rows, margin: float) -> _Drawn:
    stride_V = rows.strides()
    found = [
        gumbel(words(place_B1, stride_V)).mul_(heat_B1).add_(logits_BV).topk(2, dim=1)
        for logits_BV, place_B1, heat_B1 in rows.pieces()
    ]
    best_B2, token_B2 = map(torch.cat, zip(*found, strict=True))
    return _first_of_two(best_B2, token_B2, margin)


def _of_contenders(rows: _Rows, margin: float) -> _Drawn:
    race = contenders(rows.pieces(), rows.strides())
    best_B2, at_B2 = rows.heated(race.token_BC).topk(2, dim=1)
    drawn = _first_of_two(best_B2, race.token_BC.gather(1, at_B2), margin)
    # Which of two that are equal comes first depends on the others.
    sure_B = race.hold(best_B2[:, :1], rows.heat_B1, margin)[:, 0] & (best_B2[:, 0] > best_B2[:, 1])
    return drawn._replace(sure_B=sure_B)


def _of_nucleus(rows: _Rows, margin: float, *, likeliest: int | None = _LIKELIEST) -> _Drawn:
    count = min(likeliest or rows.vocabulary, rows.vocabulary)
    found = [
        (logits_BV.double() / heat_B1.clamp(min=1e-6)).log_softmax(dim=1).topk(count, dim=1)
        for logits_BV, _, heat_B1 in rows.pieces()
    ]
    log_BC, token_BC = map(torch.cat, zip(*found, strict=True))
    blur_B1 = margin / rows.heat_B1.clamp(min=1e-6)
    top_p_B1 = rows.top_p_B1
    least_B1 = least_kept(log_BC, top_p_B1, blur_B1)
    best_B2, at_B2 = rows.heated(token_BC).masked_fill(log_BC < least_B1, -torch.inf).topk(2, dim=1)
    drawn = _first_of_two(best_B2, token_BC.gather(1, at_B2), margin)
    if margin > 0:
        kept_B1 = surely_kept(log_BC.gather(1, at_B2[:, :1]), log_BC, top_p_B1, blur_B1)
        drawn = drawn._replace(close_B=drawn.close_B | ~kept_B1[:, 0])
    if count == rows.vocabulary:
        return drawn
    return drawn._replace(sure_B=(log_BC[:, -1:] < least_B1 - blur_B1)[:, 0] & (best_B2[:, 0] > best_B2[:, 1]))


_THOROUGH: dict[_Way, _Way] = {_of_contenders: _of_all, _of_nucleus: partial(_of_nucleus, likeliest=None)}
"""The way that leaves no token out."""


def _first_of_two(best_B2: Tensor, token_B2: Tensor, margin: float) -> _Drawn:
    token_B = token_B2[:, 0].masked_fill(best_B2[:, 0].isnan(), _NAN)
    close_B = best_B2[:, 0] - best_B2[:, 1] < margin
    return _Drawn(token_B, close_B.long(), torch.ones_like(token_B))
