import numpy as np
import torch

from prmkit.similarity.patterns.job import raw_gram, row_sums


def test_long_sums_lose_nothing() -> None:
    patterns_NP = torch.full((2, 200_000), 0.1)
    one = float(torch.tensor(0.1))
    gram_NN, l1_N = raw_gram(patterns_NP)
    squares_N, again_N = row_sums(patterns_NP)
    for found, exact in ((gram_NN, one**2), (squares_N, one**2), (l1_N, one), (again_N, one)):
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found.numpy(), 200_000 * exact, rtol=1e-5)
