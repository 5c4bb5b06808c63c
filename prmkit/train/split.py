"""Which rows are trained on, and which are held out: whole problems, drawn by a seed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from prmkit.errors import InputError
from prmkit.run.seeds import derived_seed
from prmkit.sources.sample import wording


def split(
    problems: NDArray[np.integer], prompts: Sequence[str], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows to train on and those to hold out, by index, the rows of a problem side by side.

    At least one problem is held out, and at most all but one. Which ones depends on their wording and the seed alone,
    and not on the order of the rows. Problems of the same wording are one.

    Args:
        problems: of each row, which of the prompts it belongs to.
        prompts: the texts of the problems.
        share: of the problems to hold out.
        seed: of the draw.

    Raises:
        InputError: there are fewer than two problems.
    """
    lots = np.array([derived_seed(seed, wording(prompt)) for prompt in prompts], dtype=np.int64)
    drawn, first, group = np.unique(lots[problems], return_index=True, return_inverse=True)
    if len(drawn) < 2:
        raise InputError(
            "no problem can be held out of the training",
            got=f"{len(drawn)} problem with labels",
            expected="two or more",
            cure="Give trees of more problems.",
        )
    held_out = group < min(max(1, round(share * len(drawn))), len(drawn) - 1)
    order = np.argsort(first[group], kind="stable")
    return order[~held_out[order]], order[held_out[order]]
