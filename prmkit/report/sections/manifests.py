"""How to run everything again: the commands, and each run's recipe, seed, versions and inputs."""

import shlex
from collections.abc import Iterator, Sequence

from prmkit.recipe.stages import STAGES
from prmkit.report.blocks import Block, Code, Prose, Section
from prmkit.report.read import Run, with_members
from prmkit.yaml_io import dump_yaml


def manifests(runs: Sequence[Run]) -> Section:
    """A command a run, and its manifest folded away."""
    commands = [command for run in runs for command in _commands(run)]
    commands.append(f"prmkit report {shlex.join(str(run.path) for run in runs)}")
    about = "The commands run each recipe with every value as it was, then write this page again."
    return Section("How to run it again", [Prose([about]), Code(text="\n".join(commands)), *_records(runs)])


def _commands(run: Run) -> Iterator[str]:
    """The run again, and its evaluations on what that makes, in folders beside those of now."""
    again = f"{run.path}-again"
    yield shlex.join(["prmkit", *_verb(run), f"{run.path}/run.yaml", "--out", again])
    for one in with_members([run]):
        searched = f"{again}{str(one.path).removeprefix(str(run.path))}"
        for each in one.evaluations:
            on = ["--set", f"path={searched}"] if "path" in each.recipe else []
            out = ["--out", f"{searched}/{each.path.name}"]
            yield shlex.join(["prmkit", *_verb(each), f"{each.path}/run.yaml", *on, *out])


def _verb(run: Run) -> list[str]:
    return STAGES[run.stage].verb.split()


def _records(runs: Sequence[Run]) -> Iterator[Block]:
    for run in runs:
        yield Code(title=f"{run.name} ({run.stage}): run.yaml", text=dump_yaml(run.record))
