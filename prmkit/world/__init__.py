"""The embedded world's models: a small policy, and the backbone of its PRM, shipped or made anew."""

import shutil
from pathlib import Path
from typing import Any

import orjson

from prmkit.run.results import Figures, Result
from prmkit.world.config import PolicyConfig

WEIGHTS = Path(__file__).parent / "weights"
"""Policy and backbone as ``prmkit.world.policy.train_policy`` made them."""

COST = "cost.json"
"""What the training of both models took, beside them: parameters, and tokens and FLOPs up to each."""


class ModelCost(Figures):
    """What the training of a model took up to it: its parameters, and the tokens and FLOPs so far."""

    parameters: int
    tokens: int
    flops: int | float


class WorldResult(Result):
    """The cost of both models, and the seconds that it took to make, or to copy, them."""

    kind = "world"

    policy: ModelCost
    backbone: ModelCost
    seconds: float


def make_world(folder: Path, config: PolicyConfig | None, *, seed: int = 1) -> dict[str, Any]:
    """Put ``policy`` and ``backbone`` into a folder, and return what their training took (see ``train_policy``).

    Args:
        folder: new, or one that holds no models yet.
        config: of models to be trained now; None takes the shipped ones.
        seed: of weights and text.
    """
    if config is None:
        shutil.copytree(WEIGHTS, folder, dirs_exist_ok=True)
    else:
        from prmkit.world.policy import train_policy

        train_policy(folder, config, seed=seed)
    cost: dict[str, Any] = orjson.loads((folder / COST).read_bytes())
    return cost
