"""The stage ``world``: the embedded world's policy and backbone."""

import time
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.recipe.stage import Resources, Stage, Work
from prmkit.recipe.watch import Watch
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result
from prmkit.world import WorldResult, make_world
from prmkit.world.config import PolicyConfig


class WorldRecipe(BaseModel):
    """Make the embedded world's policy and backbone (``prmkit world``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["world"] = Field(description="the verb that runs this recipe")
    seed: int = Field(1, ge=0, lt=2**32, description="of weights and text")
    policy: PolicyConfig | None = Field(None, description="models to be trained; none: the shipped ones")


def _prepare(recipe: WorldRecipe, watch: Watch | None) -> Work:
    """A run that has its result is done; one that was cut off begins anew."""

    def work(folder: RunFolder) -> WorldResult:
        if folder.metrics_file.exists():
            return read_result(folder.metrics_file, WorldResult)
        start = time.monotonic()
        cost = make_world(folder.path, recipe.policy, seed=recipe.seed)
        return WorldResult(**cost, seconds=time.monotonic() - start)

    return work


def _cost(recipe: WorldRecipe, resources: Resources) -> str:
    own = recipe.policy
    return "copies the shipped models" if own is None else f"{own.policy_steps + own.backbone_steps:,} optimiser steps"


STAGE = Stage(recipe=WorldRecipe, result=lambda recipe: WorldResult, prepare=_prepare, cost=_cost)
