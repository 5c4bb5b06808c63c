import math

import pytest
import torch

from prmkit.generate.gumbel import BITS, gumbel, places, stream_key, strides, words

CPU = torch.device("cpu")
WORD = (1 << 64) - 1


def mixed(word: int) -> int:
    """SplitMix64's finaliser, as its authors print it."""
    word = ((word ^ (word >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    word = ((word ^ (word >> 27)) * 0x94D049BB133111EB) & WORD
    return word ^ (word >> 31)


def test_the_streams_of_samples_stay_what_they_were() -> None:
    assert [stream_key(7, 0), stream_key(7, 1)] == [-5220904277346556025, 7091162075535606283]
    assert stream_key(2**63 - 1, 5) == 6607270799568333219


def test_a_word_is_a_function_of_key_position_and_token() -> None:
    keys, positions, tokens = [stream_key(seed, 0) for seed in (0, 1, 2)], [0, 7, 1000], [0, 1, 49_151, 10**6]
    found = words(places(keys, positions, CPU), strides(torch.tensor(tokens)))
    golden = 0x9E3779B97F4A7C15
    expected = [
        [mixed(mixed(key + position * golden & WORD) + token * golden & WORD) >> 64 - BITS for token in tokens]
        for key, position in zip(keys, positions, strict=True)
    ]
    assert found.tolist() == expected
    # Tokens of each row alone, in any order.
    chosen = torch.tensor([[3, 0], [1, 1], [2, 3]])
    alone = words(places(keys, positions, CPU), strides(torch.tensor(tokens)[chosen]))
    assert torch.equal(alone, found.gather(1, chosen))


@pytest.mark.parametrize("word", [0, 1, 12345678901, (1 << BITS) // 2, (1 << BITS) - 2, (1 << BITS) - 1])
def test_gumbel_numbers_are_finite_to_the_last_word(word: int) -> None:
    uniform = (word + 0.5) / (1 << BITS)
    expected = -math.log(-math.log1p(uniform - 1) if uniform > 0.5 else -math.log(uniform))
    assert float(gumbel(torch.tensor([word]))) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_their_mean_and_deviation_are_those_of_the_distribution() -> None:
    numbers = gumbel(words(places([stream_key(3, 0)], [0], CPU), strides(torch.arange(200_000))))
    assert float(numbers.mean()) == pytest.approx(0.5772, abs=4.5 * 1.2825 / math.sqrt(200_000))
    assert float(numbers.std()) == pytest.approx(math.pi / math.sqrt(6), abs=0.02)
