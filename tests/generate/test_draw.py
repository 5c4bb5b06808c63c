import math

import pytest
import torch

from prmkit.errors import RunError
from prmkit.generate.draw import Draws, draw_tokens, stream_key

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, 0.5])


def draws(temperature: float = 1.0, top_p: float = 1.0, *, seed: int = 0, sample: int = 0) -> Draws:
    return Draws(key=stream_key(seed, sample), temperature=temperature, top_p=top_p)


def first_tokens(logits: torch.Tensor, rows: list[Draws], margin: float = 0.0) -> tuple[list[int], list[int]]:
    return draw_tokens(logits, rows, [0] * len(rows), margin=margin)


def test_the_streams_of_samples_stay_what_they_were() -> None:
    assert [stream_key(7, 0), stream_key(7, 1)] == [-5220904277346556025, 7091162075535606283]
    assert stream_key(2**63 - 1, 5) == 6607270799568333219


def shares(tokens: list[int]) -> torch.Tensor:
    return torch.bincount(torch.tensor(tokens), minlength=len(LOGITS)) / len(tokens)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("vary", ["seed", "sample", "position"])
def test_shares_are_those_of_the_softmax_whichever_number_varies(vary: str, temperature: float) -> None:
    n = 20_000
    places = [{"seed": 0, "sample": 0, "position": 0} | {vary: index} for index in range(n)]
    rows = [draws(temperature, seed=place["seed"], sample=place["sample"]) for place in places]
    tokens, _ = draw_tokens(LOGITS.expand(n, -1), rows, [place["position"] for place in places], margin=0.0)
    found = shares(tokens)
    probs = (LOGITS / temperature).softmax(0)
    # Four and a half standard deviations of a binomial share.
    assert ((found - probs).abs() < 4.5 * (probs * (1 - probs) / n).sqrt()).all()


def test_successive_positions_are_independent() -> None:
    n = 10_000
    rows = [draws(sample=index // 2) for index in range(2 * n)]
    tokens, _ = draw_tokens(torch.zeros(2 * n, 2), rows, [index % 2 for index in range(2 * n)], margin=0)
    same = sum(tokens[i] == tokens[i + 1] for i in range(0, 2 * n, 2)) / n
    assert abs(same - 0.5) < 4.5 * 0.5 / math.sqrt(n)


def test_temperature_zero_takes_the_likeliest() -> None:
    assert first_tokens(LOGITS.expand(9, -1), [draws(0.0, seed=seed) for seed in range(9)])[0] == [0] * 9


def test_top_p_renormalises_the_smallest_set_that_reaches_the_mass() -> None:
    # Probabilities: 0.57, 0.21, 0.08, 0.03, 0.13; the first two reach 0.7.
    n = 20_000
    found = shares(first_tokens(LOGITS.expand(n, -1), [draws(top_p=0.7, seed=seed) for seed in range(n)])[0])
    kept = LOGITS[:2].softmax(0)
    assert found[2:].sum() == 0
    assert abs(found[0] - kept[0]) < 4.5 * math.sqrt(float(kept[0] * kept[1]) / n)


def test_the_rows_beside_change_nothing() -> None:
    torch.manual_seed(0)
    logits = torch.randn(40, 30)
    rows = [draws(1 / (1 + row % 3), 1.0 if row % 2 else 0.8, seed=row) for row in range(40)]
    together, _ = first_tokens(logits, rows)
    alone = [first_tokens(logits[row : row + 1], [rows[row]])[0][0] for row in range(40)]
    assert together == alone


def test_only_draws_that_rounding_could_turn_are_called_close() -> None:
    """Rows that are not close keep their token under any noise below half the margin."""
    torch.manual_seed(0)
    logits, margin = torch.randn(3000, 12), 0.02
    rows = [draws((0.0, 0.3, 1.0)[row % 3], (1.0, 0.6)[row % 2], seed=row) for row in range(3000)]
    tokens, close = first_tokens(logits, rows, margin)
    assert 0 < len(close) < 600
    for _ in range(5):
        noise = (torch.rand_like(logits) - 0.5) * 0.1 * margin
        others, _ = first_tokens(logits + noise, rows)
        assert all(tokens[row] == others[row] for row in range(3000) if row not in set(close))


def test_equal_logits_are_close() -> None:
    assert first_tokens(torch.tensor([[1.0, 1.0, 0.0]]), [draws(0.0)], 1e-4)[1] == [0]


def test_nan_is_an_error() -> None:
    with pytest.raises(RunError, match="NaN"):
        first_tokens(torch.tensor([[0.0, math.nan]]), [draws()])
