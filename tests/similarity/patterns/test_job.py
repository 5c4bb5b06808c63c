from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from prmkit.similarity.patterns.job import Scratch, raw_gram, row_sums


def test_long_sums_lose_nothing() -> None:
    patterns_NP = torch.full((2, 200_000), 0.1)
    one = float(torch.tensor(0.1))
    gram_NN, l1_N = raw_gram(patterns_NP)
    squares_N, again_N = row_sums(patterns_NP)
    for found, exact in ((gram_NN, one**2), (squares_N, one**2), (l1_N, one), (again_N, one)):
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found.numpy(), 200_000 * exact, rtol=1e-5)


def test_places_of_tiles_are_the_same_memory_one_after_another() -> None:
    tiles: Any = [SimpleNamespace(size=3), SimpleNamespace(size=5)]
    job: Any = SimpleNamespace(batches=[range(2), range(4)], device=torch.device("cpu"))
    scratch = Scratch(job, tiles)
    first, second = (scratch.place(4, tiles)(index) for index in range(2))
    assert (first.shape, second.shape) == ((4, 3), (4, 5))
    second.copy_(torch.arange(20.0).view(4, 5))
    assert first.tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert scratch.place(2, tiles)(1).tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
