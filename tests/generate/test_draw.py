import math
import random

import numpy as np
import pytest
import torch

from prmkit.errors import RunError
from prmkit.generate import draw
from prmkit.generate.draw import Draws, draw_tokens
from prmkit.generate.gumbel import stream_key

LOGITS = torch.tensor([2.0, 1.0, 0.0, -1.0, 0.5])


def draws(temperature: float = 1.0, top_p: float = 1.0, *, seed: int = 0, sample: int = 0) -> Draws:
    return Draws(key=stream_key(seed, sample), temperature=temperature, top_p=top_p)


def first_tokens(logits: torch.Tensor, rows: list[Draws], margin: float = 0.0) -> tuple[list[int], list[int]]:
    return draw_tokens(logits, rows, [0] * len(rows), margin=margin)


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


@pytest.mark.parametrize("vocabulary", [2, 10_000])
@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (0.001, 1.0), (1.0, 1.0), (1.0, 0.9)])
def test_nan_is_an_error(vocabulary: int, temperature: float, top_p: float) -> None:
    logits = torch.zeros(2, vocabulary)
    logits[1, 1] = math.nan
    with pytest.raises(RunError, match="NaN"):
        first_tokens(logits, [draws(temperature, top_p)] * 2)


def plain_draw(logits: np.ndarray, one: Draws, position: int, margin: float) -> tuple[int, bool]:
    """The definition: a Gumbel number for every token, the nucleus by sorting, in numpy."""

    def mixed(word: np.ndarray) -> np.ndarray:
        word = (word ^ word >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ word >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        return word ^ word >> np.uint64(31)

    golden, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1
    base = mixed(np.array([one.key + position * golden & mask], dtype=np.uint64))
    word = mixed(base + np.arange(len(logits), dtype=np.uint64) * np.uint64(golden)) >> np.uint64(12)
    heated = logits - one.temperature * np.log(-np.log((word.astype(np.float64) + 0.5) * 2.0**-52))
    sure = np.ones(len(logits), dtype=bool)
    if one.temperature > 0 and one.top_p < 1:
        warm = logits / max(one.temperature, 1e-6)
        log = warm - warm.max() - np.log(np.exp(warm - warm.max()).sum())
        blur = margin / max(one.temperature, 1e-6)
        falling = np.sort(log)[::-1]
        before = np.cumsum(np.exp(falling)) - np.exp(falling)
        heated[log < falling[(before < one.top_p + blur).sum() - 1] - blur] = -np.inf
        token = int(heated.argmax())
        sure[token] = np.exp(log[log >= log[token] - blur]).sum() - np.exp(log[token]) < one.top_p - blur
    second, first = np.argsort(heated)[-2:]
    return int(first), bool(heated[first] - heated[second] < margin or (margin > 0 and not sure[first]))


def some_logits(stream: random.Random, rows: int, vocabulary: int) -> torch.Tensor:
    """Of models that know little, of some that are sure, and of one that forbids most tokens."""
    logits = torch.randn(rows, vocabulary) * stream.choice([0.1, 1.0, 4.0])
    kind = stream.choice(["any", "sure", "forbidden", "large"])
    if kind == "sure":
        logits[:, :: stream.randrange(1, vocabulary // 4)] += 10 * torch.rand(1)
    if kind == "forbidden":
        logits[torch.rand(rows, vocabulary) < 0.999] = -torch.inf
        logits[:, stream.randrange(vocabulary)] = 1.0
        logits[:, stream.randrange(vocabulary)] = 0.5
    if kind == "large":
        logits = logits * 1e4 + 1e5
    return logits


@pytest.mark.parametrize("vocabulary", [100, 600, 8_191, 8_192, 32_000, 49_152, 50_257, 151_936])
def test_tokens_and_close_draws_are_those_of_the_definition(vocabulary: int) -> None:
    stream = random.Random(vocabulary)
    torch.manual_seed(vocabulary)
    for _ in range(6):
        logits = some_logits(stream, 3, vocabulary)
        margin = stream.choice([0.0, 1e-4, 0.05, 5.0])
        lanes = sorted(stream.choices(range(3), k=12))
        rows = [
            draws(
                stream.choice([0.0, 1e-7, 0.009, 0.01, 0.3, 1.0, 2.5]), stream.choice([1.0, 1.0, 0.95, 0.2]), sample=row
            )
            for row in range(12)
        ]
        positions = [stream.randrange(5000) for _ in rows]
        expected = [
            plain_draw(logits[lane].double().numpy(), one, position, margin)
            for lane, one, position in zip(lanes, rows, positions, strict=True)
        ]
        tokens, close = draw_tokens(logits, rows, positions, margin=margin, lanes=lanes)
        assert tokens == [token for token, _ in expected]
        assert close == [row for row, (_, is_close) in enumerate(expected) if is_close]
        assert draw_tokens(logits[lanes], rows, positions, margin=margin) == (tokens, close)


@pytest.mark.parametrize("top_p", [1.0, 0.9])
def test_where_few_tokens_can_win_the_others_get_no_gumbel_numbers(
    top_p: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    logits = torch.randn(64, 50_000)
    logits[:, 1000:1010] += 12
    made = []
    gumbel = draw.gumbel

    def counted(word: torch.Tensor) -> torch.Tensor:
        made.append(word.numel())
        return gumbel(word)

    monkeypatch.setattr(draw, "gumbel", counted)
    first_tokens(logits, [draws(0.8, top_p, sample=row) for row in range(64)], margin=1e-4)
    assert sum(made) < 0.02 * logits.numel()


def test_equal_values_fall_as_they_do_among_all_tokens() -> None:
    """In 16 bits the likeliest are often equal; which of them is taken is part of the stream."""
    torch.manual_seed(0)
    logits = torch.randint(-3, 3, (30, 20_000)).float()
    tokens, close = first_tokens(logits, [draws(0.0)] * 30, margin=1e-4)
    assert tokens == logits.double().topk(2, dim=1).indices[:, 0].tolist()
    assert close == list(range(30))
