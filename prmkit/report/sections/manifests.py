"""How to run everything again: the commands, and each run's recipe, seed, versions and inputs."""

import shlex
from collections.abc import Iterator, Sequence

from prmkit.recipe.stages import STAGES
from prmkit.report.blocks import Block, Code, Prose, Section
from prmkit.report.read import Run
from prmkit.yaml_io import dump_yaml


def manifests(runs: Sequence[Run]) -> Section:
    """A command a run, and its manifest folded away."""
    commands = [command for run in runs for command in _commands(run)]
    commands.append(f"prmkit report {shlex.join(str(run.path) for run in runs)}")
    about = "The commands run each recipe with every value as it was, then write this page again."
    return Section("How to run it again", [Prose([about]), Code(text="\n".join(commands)), *_records(runs)])


def _commands(run: Run) -> Iterator[str]:
    folder, again = str(run.path), f"{run.path}-again"
    yield shlex.join(["prmkit", *STAGES[run.stage].verb.split(), f"{folder}/run.yaml", "--out", again])
    for one in run.members or (run,):
        if one.evaluation is not None and one.evaluation is not one.result:
            yield shlex.join(["prmkit", "evaluate", f"{again}{str(one.path).removeprefix(folder)}"])
    if run.anytime is not None:
        yield shlex.join(["prmkit", "evaluate", "anytime", again])
    if run.selection is not None:
        yield shlex.join(["prmkit", "evaluate", "selection", again])


def _records(runs: Sequence[Run]) -> Iterator[Block]:
    for run in runs:
        yield Code(title=f"{run.name} ({run.stage}): run.yaml", text=dump_yaml(run.record))
