"""What a stage is to everything else: its recipe, what it reads, how it works, what it costs, what it gives.

A run has two halves. ``prepare`` reads every input, so that bad ones are refused while the run folder, and whatever an
earlier run left in it, is still untouched. What it returns then works in the folder.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from prmkit.recipe.watch import Watch
from prmkit.run.folder import RunFolder
from prmkit.run.results import Result
from prmkit.train.machines import Machine

Recipe = TypeVar("Recipe", bound=BaseModel)

Work = Callable[[RunFolder], Result | None]
"""Runs a prepared recipe in a folder, or goes on with what a killed run left there, and returns what was found; None in
a process that only helps the first one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What a plan may count on.

    Attributes:
        machine: on which a training is planned; None leaves that out.
        pilot: whether a few problems may be tried, to tell what the rest will cost.
    """

    machine: Machine | None = None
    pilot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[Recipe]):
    """One stage. Its module in ``recipe/stages/`` makes it, and the table there names it.

    Attributes:
        recipe: the model of its recipe; defaults live there.
        result: the type of its result, told the recipe as JSON types.
        prepare: reads what a recipe names, and returns what runs it; raises InputError for what is missing or illegal.
            None: a verb of its own runs it.
        inputs: the files, folders and hub addresses of data that a recipe reads.
        cost: what a recipe asks for, in words.
        expected: figures of what a run will take, by name, from a pilot that ``--dry-run`` makes.
        prompts: the first prompt of each policy as it reads it, by the key of the policy.
        folder: where a run goes by default; None: below runs/, under the name of the recipe.
    """

    recipe: type[Recipe]
    result: Callable[[Mapping[str, Any]], type[Result]]
    prepare: Callable[[Recipe, Watch | None], Work] | None = None
    inputs: Callable[[Recipe], Iterable[str | None]] = lambda recipe: ()
    cost: Callable[[Recipe, Resources], str] = lambda recipe, resources: "reads files"
    expected: Callable[[Recipe], dict[str, float]] = lambda recipe: {}
    prompts: Callable[[Recipe], Mapping[str, str]] = lambda recipe: {}
    folder: Callable[[Recipe], Path | None] = lambda recipe: None
