"""From a bound recipe to a finished run: its stage reads what it names and works; the result is written."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from prmkit.errors import InputError
from prmkit.models.config import NamedModel, NamesModel
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
from prmkit.score.config import JudgeEngine
from prmkit.yaml_io import KeyPath


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
    """The files and folders on this machine that a run reads, each once: data, and chat templates that a recipe gives
    in the place of a model's own. Models are not among them.
    """
    paths = dict.fromkeys([*stage_of(recipe).inputs(recipe), *_template_files(recipe)])
    return [Path(path) for path in paths if path is not None and not path.startswith(HUB)]


def models_of(recipe: BaseModel) -> dict[str, NamedModel]:
    """The models that a run reads, by the key of the recipe that names each, wherever it stands."""
    return {".".join(path): named for path, named in _named_models(recipe, ())}


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
            the recipe names and ``overwrite`` would remove (asked before anything is read); a model is not that of the
            run that shall go on (asked before it is loaded).
    """
    values = recipe.model_dump(mode="json")
    models: dict[str, dict[str, Any]] | None = None
    if this_process().first:
        RunFolder(path).refuse_taken(values, resume=resume, overwrite=overwrite)
        if resume:
            models = _records(recipe)
            RunFolder(path).refuse_other_models(models)
    with noting() as checks:
        work = prepare(recipe, watch)
        if models is None and this_process().first:
            models = _records(recipe)
        folder = RunFolder.create(
            path,
            values,
            inputs=inputs_of(recipe),
            models=models,
            seed=values.get("seed", 0),
            resume=resume,
            overwrite=overwrite,
        )
        with writing(folder.path):
            result = work(folder)
            if result is not None and not folder.follower:
                write_result(folder.metrics_file, result)
                if checks:
                    write_json(folder.checks, checks)
    return folder, result


def _records(recipe: BaseModel) -> dict[str, dict[str, Any]]:
    named = models_of(recipe)
    if not named:
        return {}
    from prmkit.models.contents import record_of

    known: dict[tuple[str, bool], dict[str, Any]] = {}
    for each in named.values():
        if (each.name, each.weights) not in known:
            known[each.name, each.weights] = record_of(each)
    return {key: known[each.name, each.weights] | {"role": each.role} for key, each in named.items()}


def _named_models(value: object, path: KeyPath) -> Iterator[tuple[KeyPath, NamedModel]]:
    if isinstance(value, NamesModel) and (named := value.named_model) is not None:
        yield (*path, named.key), named
    if isinstance(value, BaseModel):
        role = "judge" if isinstance(value, JudgeEngine) else None
        for name, inner in value:
            for found, named in _named_models(inner, (*path, name)):
                yield found, named if role is None else named._replace(role=role)
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _named_models(inner, (*path, str(name)))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _named_models(inner, (*path, str(number)))


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
