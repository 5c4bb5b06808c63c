"""From a bound recipe to a finished run: its stage reads what it names and works; the result is written."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from prmkit.errors import InputError
from prmkit.packing.format import PromptFormat
from prmkit.recipe.stage import Work
from prmkit.recipe.stages import STAGES, stage_of
from prmkit.recipe.watch import Watch
from prmkit.rows_io import HUB
from prmkit.run.activity import busy
from prmkit.run.checks import noting
from prmkit.run.files import write_json, writing
from prmkit.run.folder import RunFolder
from prmkit.run.ranks import this_process
from prmkit.run.results import Result, write_result


def prepare(recipe: BaseModel, watch: Watch | None = None) -> Work:
    """Read what a recipe names, and return what runs it.

    Raises:
        InputError: an input is missing or illegal.
    """
    stage = stage_of(recipe)
    if stage.prepare is None:
        verb = STAGES[recipe.stage].verb  # type: ignore[attr-defined]  # every recipe has the key
        raise InputError("the recipe has a verb of its own", got=verb, cure=f"Run it with `prmkit {verb}`.")
    with busy("reading the inputs"):
        return stage.prepare(recipe, watch)


def inputs_of(recipe: BaseModel) -> list[Path]:
    """The files and folders on this machine that a result is about, each once: data, chat templates that a recipe gives
    in the place of a model's own, and the PRM that ``evaluate steps`` measures. Other models are not among them.
    """
    paths = dict.fromkeys([*stage_of(recipe).inputs(recipe), *_template_files(recipe)])
    return [Path(path) for path in paths if path is not None and not path.startswith(HUB)]


def execute(
    recipe: BaseModel, path: Path, *, watch: Watch | None = None, resume: bool = False, overwrite: bool = False
) -> tuple[RunFolder, Result | None]:
    """Run a recipe in a folder: its inputs are read first, then the folder is made, at last the result written there.

    Args:
        recipe: bound.
        path: the folder of the run.
        watch: shows progress.
        resume: go on with the run that the folder holds.
        overwrite: replace it.

    Returns:
        The folder, and the result; None in a process that only helps the first one.

    Raises:
        InputError: an input is missing or illegal; the folder is taken, or holds another run than shall go on, or what
            the recipe names and ``overwrite`` would remove (asked before anything is read).
    """
    values = recipe.model_dump(mode="json")
    if this_process().first:
        RunFolder(path).refuse_taken(values, resume=resume, overwrite=overwrite)
    with noting() as checks:
        work = prepare(recipe, watch)
        folder = RunFolder.create(
            path, values, inputs=inputs_of(recipe), seed=values.get("seed", 0), resume=resume, overwrite=overwrite
        )
        with writing(folder.path):
            result = work(folder)
            if result is not None and not folder.follower:
                write_result(folder.metrics_file, result)
                if checks:
                    write_json(folder.checks, checks)
    return folder, result


def _template_files(value: object) -> Iterator[str | None]:
    """Of every format that a recipe holds, wherever it stands."""
    if isinstance(value, PromptFormat):
        yield value.template_file
    elif isinstance(value, BaseModel):
        for _, inner in value:
            yield from _template_files(inner)
    elif isinstance(value, Mapping):
        yield from _template_files(list(value.values()))
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _template_files(inner)
