import numpy as np
import torch

from prmkit.similarity.job import raw_gram


def test_long_sums_lose_nothing() -> None:
    patterns_NP = torch.full((2, 200_000), 0.1)
    exact = 200_000 * float(torch.tensor(0.1)) ** 2
    np.testing.assert_allclose(raw_gram(patterns_NP).numpy(), exact, rtol=1e-5)
